/**
 * probe.sh about a branch that is not there. The real script, bash and jq; `nixos-upgrade-remote` is a double that
 * answers with the lines that remote.sh's header names (the real one is asked in test/system/upgrade.spec.ts).
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

const scripts = path.resolve(__dirname, "../../nix/upgrade");

describe("the freshness probe of a machine whose branch is not there", () => {
  let folder: string;
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "probe-"));
    double("nixos-upgrade-status", "true");
  });
  afterEach(() => fs.rmSync(folder, { recursive: true }));

  const double = (name: string, text: string) =>
    fs.writeFileSync(path.join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  const probeFile = () => path.join(folder, "probe.json");
  const record = () => JSON.parse(fs.readFileSync(probeFile(), "utf8")) as Record<string, unknown>;
  const probe = (answer: object) => {
    double("nixos-upgrade-remote", `cat <<'END'\n${JSON.stringify(answer)}\nEND`);
    return spawnSync("bash", ["-euo", "pipefail", path.join(scripts, "probe.sh")], {
      encoding: "utf8",
      env: {
        PATH: `${folder}:${process.env["PATH"]}`,
        UPGRADE_COMMON: path.join(scripts, "common.sh"),
        UPGRADE_STATE: folder,
        UPGRADE_BRANCH: "main",
        UPGRADE_MACHINE_KEY: "/nowhere",
        UPGRADE_KNOWN_HOSTS: "/nowhere",
        UPGRADE_TOKEN_CONFIG: "/nowhere",
        // Shorter than any computer of a test has been up for.
        UPGRADE_FRESH_SECONDS: "1",
        UPGRADE_TOKEN_WARNING_SECONDS: "604800",
        UPGRADE_RELEASE_SIGNERS: "",
      },
    });
  };
  /** Puts the beginning of the wait, and of the record, into the past. */
  const age = () => {
    const { begun, waitingSince, ...rest } = record() as { begun: number; waitingSince: number };
    fs.writeFileSync(
      probeFile(),
      JSON.stringify({ ...rest, begun: begun - 3600, ...(waitingSince ? { waitingSince: waitingSince - 3600 } : {}) }),
    );
  };

  it("gives a first push its time", () => {
    const { status, stderr } = probe({ state: "waiting", branches: ["master"] });
    assert.equal(status, 0, stderr);
    assert.ok(Number(record()["waitingSince"]) > 0);
  });

  // Fault 102
  it("says, after the time that a machine may be behind, which branches there are", () => {
    probe({ state: "waiting", branches: ["master", "develop"] });
    age();
    const { status, stderr } = probe({ state: "waiting", branches: ["master", "develop"] });
    assert.equal(status, 1);
    assert.match(
      stderr,
      /The repository has no branch main, for \d+ minutes\. It has: master, develop\. Push to main: git push origin master:main; or write another "branch" into nix\/repository\.json\./,
    );
    assert.match(JSON.stringify(record()["problems"]), /"The branch that this machine follows is not there\."/);
  });

  it("says so, too, where there is no branch at all", () => {
    for (const answer of [{ state: "waiting", branches: [] }, { state: "waiting" }]) {
      probe(answer);
      age();
      const { status, stderr } = probe(answer);
      assert.equal(status, 1);
      assert.match(stderr, /has no branch main, for \d+ minutes\. Push to it: git push -u origin HEAD:main/);
    }
  });

  it("is content again when the branch is there", () => {
    probe({ state: "waiting", branches: [] });
    probe({ state: "ok", revision: "0".repeat(40), tokenExpires: null });
    assert.equal(record()["waitingSince"], null);
  });

  it("goes on counting over an answer that failed", () => {
    probe({ state: "waiting", branches: [] });
    const since = record()["waitingSince"];
    probe({ state: "failing", kind: "timeout", message: "x", notBefore: null });
    assert.equal(record()["waitingSince"], since);
  });
});
