// That the private key shows nowhere: not in a command line on either side, not in output, log or files.
// Every program is replaced on PATH by a recorder that starts the real one, so none is too quick to be seen; what a
// program starts by an absolute path is only seen if it lives for some hundredths of a second.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { Deployment, deploy, evaluate } from "../../cli/rehearse/machine";
import { useBench, type Bench } from "../support/bench";
import { filesWithKey, newestLog } from "../../cli/rehearse/machine/state";

/** Lines of the key that are its own; the first is the same for every key of its kind. */
function secretLines({ machine }: Bench): string[] {
  return machine.login.privateKey.split("\n").slice(2, -2);
}

/** Puts recorders before the programs on PATH; returns the environment's PATH and the file of records. */
function installRecorders({ client }: Bench): { PATH: string; records: string } {
  const folder = path.join(client.folder, "recorders");
  const records = path.join(client.folder, "records");
  fs.mkdirSync(folder);
  const programs = [
    "ssh",
    "ssh-keygen",
    "ssh-add",
    "git",
    "nix",
    "nix-store",
    "nix-env",
    "nix-copy-closure",
    "nixos-rebuild",
    "env",
    "bash",
    "sh",
    "mktemp",
    "cat",
  ];
  const searched = client.env["PATH"] ?? "";
  for (const program of programs) {
    const real = searched
      .split(":")
      .map((place) => path.join(place, program))
      .find((file) => fs.existsSync(file));
    if (real !== undefined) {
      const script = `#!/bin/bash\nprintf '%s\\n' '${program}' "$@" >>'${records}'\nexport -p >>'${records}.environment'\nexec -a "${program}" '${real}' "$@"\n`;
      fs.writeFileSync(path.join(folder, program), script, { mode: 0o755 });
    }
  }
  return { PATH: `${folder}:${searched}`, records };
}

/** Reads all command lines of this computer, the machine's included, until told to stop. */
function watchCommandLines(): () => string {
  const seen = new Set<string>();
  const timer = setInterval(() => {
    for (const name of fs.readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
      try {
        seen.add(fs.readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " "));
      } catch {
        // It has ended.
      }
    }
  }, 10);
  return () => {
    clearInterval(timer);
    return [...seen].join("\n");
  };
}

describe("the private key in a deployment", () => {
  const it = useBench();

  it("is in no command line, no output, no log and no file, when it succeeds and when it fails", async (bench) => {
    const setting = await bench.fresh();
    const { PATH, records } = installRecorders(setting);
    const recorded: Bench = { ...setting, client: { ...setting.client, env: { ...setting.client.env, PATH } } };
    const stop = watchCommandLines();
    const evaluated = await evaluate(recorded);
    const good = await deploy(recorded);
    const bad = await deploy(recorded, "activationFails");
    const commandLines = stop();
    assert.equal(good.code, 0, good.stderr);
    assert.notEqual(bad.code, 0);

    const places: Record<string, string> = {
      "recorded command lines": fs.readFileSync(records, "utf8"),
      "command lines seen in /proc": commandLines,
      "what evaluate.mjs printed": evaluated.stdout + evaluated.stderr,
      "what deploy.mjs printed": good.stdout + good.stderr + bad.stdout + bad.stderr,
      "the log": newestLog(setting).text,
      "the machine's journal": await setting.machine.output("journalctl --no-pager --output=cat"),
      "environments of other programs": fs.readFileSync(`${records}.environment`, "utf8"),
    };
    for (const [place, text] of Object.entries(places)) {
      assert.ok(text.length > 20, `${place}: nothing was recorded`);
      for (const line of secretLines(setting)) {
        assert.equal(text.includes(line), false, `the key is in ${place}`);
      }
    }
    // The scan sees what it should.
    assert.match(places["recorded command lines"] ?? "", /^nixos-rebuild$/m);
    assert.match(places["command lines seen in /proc"] ?? "", /sshd: root/);
    assert.deepEqual(await filesWithKey(setting), []);
  });

  it("lies in a file of mode 0600 in a folder of mode 0700, only while it is needed", async (bench) => {
    const setting = await bench.fresh();
    const deployment = bench.track(await Deployment.start(setting, "slowActivation"));
    await deployment.until("the key file", async () => (await filesWithKey(setting)).length > 0);
    const files = await filesWithKey(setting);
    assert.equal(files.length, 1, files.join("\n"));
    const [file = ""] = files;
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    assert.equal(fs.statSync(path.dirname(file)).mode & 0o777, 0o700);
    assert.equal((await deployment.result()).code, 0);
    assert.deepEqual(await filesWithKey(setting), []);
  });
});
