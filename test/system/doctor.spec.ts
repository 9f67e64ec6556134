// Doctor's look at a machine: a real OpenSSH at both ends, a real systemd, the real programs of nix/upgrade and a real
// git repository. What it cannot prove: that a NixOS of the current release has every tool that machine.sh calls.
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { checkMachine } from "../../cli/diagnostics/machine";
import type { Expected } from "../../cli/diagnostics/machineReport";
import type { Result } from "../../cli/common/result";
import { realContext } from "../../cli/common/context";
import { ageRecipient } from "../../components/keys/age";
import { canRunMachine, makeKeyPair } from "../../cli/rehearse/machine";
import { requireOrSkip } from "../require";
import { startUpgradeBench, type UpgradeBench } from "../../cli/rehearse/upgrade/bench";

describe("doctor on a machine", () => {
  let bench: UpgradeBench;
  let revision = "";

  before(async function () {
    const reason = canRunMachine();
    requireOrSkip(this, "systemd", reason === undefined, reason ?? "");
    bench = await startUpgradeBench();
  });
  after(() => bench?.stop());

  async function look(expected: Partial<Expected> = {}, hostKey = bench.machine.hostPublicKey): Promise<Result[]> {
    const { host, port, login } = bench.machine;
    return checkMachine(
      realContext(),
      { host, port, hostKey, loginKey: login.privateKey },
      {
        ageRecipients: [ageRecipient(login.publicKey)],
        access: "deploy-key",
        branch: "main",
        revision,
        secretsFile: false,
        ...expected,
      },
    );
  }
  const line = (results: Result[], subject: string) => {
    const result = results.find((candidate) => candidate.subject === subject);
    return result && `${result.outcome} ${result.found}`;
  };

  it("sees a machine that waits for the first push", async () => {
    await bench.poll();
    const results = await look();
    assert.equal(line(results, "last upgrade"), "note waiting for the first push");
    assert.equal(line(results, "repository"), "ok the machine has just read it");
    assert.match(line(results, "timer") ?? "", /^failed .*not active/);
  });

  it("has nothing against one that has upgraded itself", async () => {
    revision = await bench.push();
    assert.equal(await bench.poll(), true);
    await bench.machine.output("systemctl start nixos-upgrade.timer");
    const results = await look();
    assert.deepEqual(
      results.filter(({ outcome }) => outcome !== "ok").map(({ subject, outcome }) => `${outcome} ${subject}`),
      ["skipped open secrets"],
      JSON.stringify(results, null, 1),
    );
    assert.equal(line(results, "revision"), `ok runs ${revision.slice(0, 10)}, the newest of main`);
    await bench.machine.output("systemctl stop nixos-upgrade.timer");
  });

  it("sees that the branch has moved", async () => {
    const results = await look({ revision: "b".repeat(40) });
    assert.match(line(results, "revision") ?? "", /^failed .*main is at bbbbbbbbbb$/);
  });

  it("sees a key file that others can read", async () => {
    await bench.machine.output("chmod 0444 /var/lib/id_ed25519");
    assert.match(line(await look(), "key file") ?? "", /^failed .*(444 root|no private key)/);
    await bench.machine.output("chmod 0400 /var/lib/id_ed25519");
  });

  it("sees another key than the stack's", async () => {
    const results = await look({ ageRecipients: ["age1another"] });
    assert.match(line(results, "key file") ?? "", /^failed .*another key than the stack's$/);
  });

  it("refuses a machine with another host key", async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "doctor-"));
    const { publicKey } = await makeKeyPair(folder);
    fs.rmSync(folder, { recursive: true });
    const results = await look({}, publicKey);
    assert.equal(results.length, 1);
    assert.match(line(results, "login") ?? "", /^failed .*Host key verification failed/);
  });

  it("sees a deploy key that was removed, where Nix alone would go on in silence", async () => {
    await bench.machine.output(": >/etc/githost/authorized_keys");
    assert.equal(await bench.poll(), false);
    const results = await look();
    assert.match(line(results, "repository") ?? "", /^failed the machine cannot read it: .*deploy key/);
    assert.match(line(results, "last upgrade") ?? "", /^failed .*deploy key/);
  });
});
