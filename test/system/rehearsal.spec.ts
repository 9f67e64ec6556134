// The rehearsal with real machines, on a computer that lacks something and for a project in use. .ci/run rehearses where
// everything is there, under a real engine too, and wants every check held.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import * as path from "node:path";
import { canRunMachine } from "../../cli/rehearse/machine";
import { ROOT } from "../../cli/rehearse/project";
import { requireOrSkip } from "../require";
import { copyOf, rehearse, useFolder } from "../support/rehearsal";
import { pathWithout } from "../support/without";

describe("rehearsal", () => {
  const folder = useFolder();

  // What a computer with Nix has, and what `su` leaves of PATH.
  it("holds with machines, but without sops and the folders of the administrator's programs", async function () {
    const reason = canRunMachine();
    requireOrSkip(this, "systemd", reason === undefined, reason ?? "");
    const folders = process.env["PATH"]!.split(path.delimiter).filter((one) => !one.endsWith("/sbin"));
    const PATH = pathWithout(["sops"], path.join(folder(), "bin"), folders.join(path.delimiter));
    const { code, text, rehearsal } = await rehearse(folder(), ROOT, { PATH }, "--no-engine");
    assert.equal(code, 0, text);
    const machine = rehearsal.verdicts.filter(({ subject }) => subject === "machine");
    assert.deepEqual(new Set(machine.map(({ outcome }) => outcome)), new Set(["held", "not run"]));
    assert.deepEqual(
      rehearsal.steps.filter(({ summary }) => summary === "not run").map(({ name }) => name),
      ["secrets", "token"],
    );
  });

  it("holds for a project that is in use: with a repository, a token and secrets for its own machine", async () => {
    const copy = copyOf(folder());
    const repository = { owner: "octocat", name: "server", branch: "main", access: "token" };
    writeFileSync(path.join(copy, "nix/repository.json"), JSON.stringify(repository));
    const encrypted = "ENC[AES256_GCM,data:x,iv:x,tag:x,type:str]";
    const sops = `sops:\n    age:\n        - recipient: age1another\n    mac: ${encrypted}\n`;
    writeFileSync(path.join(copy, "nix/secrets.yaml"), `github-access-token: ${encrypted}\n${sops}`);
    const { code, text } = await rehearse(folder(), copy, {}, "--no-engine");
    assert.equal(code, 0, text);
  });
});
