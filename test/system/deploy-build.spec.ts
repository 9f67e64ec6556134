// Failures before anything is switched, on the loopback bench: evaluation, build, disk, missing programs.
import assert from "node:assert/strict";
import fs from "node:fs";
import { deploy, evaluate, type Result } from "../../cli/rehearse/machine";
import { useBench, type Bench } from "../support/bench";
import {
  activations,
  assertClientLeftClean,
  assertMachineLeftClean,
  assertSystem,
  newestLog,
  rejectedSystems,
  systemOf,
} from "../../cli/rehearse/machine/state";

/** A deployment that failed before it switched: nothing was activated, nothing rejected, nothing left. */
async function assertNothingSwitched(setting: Bench, result: Result): Promise<void> {
  assert.notEqual(result.code, 0, result.stderr);
  assert.equal(result.stdout, "");
  assert.deepEqual(await activations(setting.machine), []);
  assert.deepEqual(await rejectedSystems(setting.machine), []);
  await assertMachineLeftClean(setting.machine);
  await assertClientLeftClean(setting);
}

/** The error names the log that has the whole story. */
function assertNamesLog(setting: Bench, result: Result): void {
  const { file } = newestLog(setting);
  assert.ok(result.stderr.includes(file), result.stderr);
}

describe("a deployment that fails before the switch", () => {
  const it = useBench();

  // Fault 22
  it("shows Nix's own message first when the evaluation fails", async (bench) => {
    const setting = await bench.fresh();
    const result = await evaluate(setting, "evaluationError");
    assert.equal(result.code, 1);
    assert.equal(result.stdout, "");
    assert.match(result.stderr.split("\n")[0] ?? "", /the bench's evaluation error/);
  });

  it("changes nothing when the flake no longer evaluates", async (bench) => {
    const setting = await bench.fresh();
    const derivation = (await evaluate(setting)).stdout.trim();
    const result = await deploy(setting, "evaluationError", { DEPLOY_DERIVATION: derivation });
    await assertNothingSwitched(setting, result);
    assert.match(result.stderr, /the bench's evaluation error/);
  });

  for (const place of ["host", "local"]) {
    // Fault 23
    it(`shows the last words of a build that fails on ${place === "host" ? "the machine" : "this computer"}`, async (bench) => {
      const setting = await bench.fresh();
      const result = await deploy(setting, "buildError", { DEPLOY_BUILD_ON: place });
      await assertNothingSwitched(setting, result);
      assert.match(result.stderr, /the bench's build error/);
      assertNamesLog(setting, result);
    });
  }

  for (const place of ["host", "local"]) {
    // Fault 113
    it(`ends a build on ${place === "host" ? "the machine" : "this computer"} that says nothing and has no end`, async (bench) => {
      const setting = await bench.fresh();
      const result = await deploy(setting, "silentBuild", { DEPLOY_BUILD_ON: place, DEPLOY_SILENT_SECONDS: "20" });
      await assertNothingSwitched(setting, result);
      const called = place === "host" ? "The build on the machine" : "nix-store";
      assert.ok(result.stderr.includes(`waiting: ${called} has printed nothing for 5 s`), result.stderr);
      assert.ok(result.stderr.includes(`\n${called} printed nothing for 20 s, and was ended.\n`), result.stderr);
      assert.match(result.stderr, /the bench's last words/);
      assertNamesLog(setting, result);
      // Nobody builds on.
      if (place === "host")
        assert.equal((await setting.machine.output("pgrep -f '[b]uild-system[.]sh' || true")).trim(), "");
    });
  }

  // Fault 25
  it("says that the machine's disk is full", async (bench) => {
    const setting = await bench.fresh({ nixMegabytes: 64 });
    const result = await deploy(setting, "large");
    await assertNothingSwitched(setting, result);
    assert.match(result.stderr, /No space left on device/i);
    assertNamesLog(setting, result);
    // What the error advises helps: the machine is as it was, and takes the next system.
    assert.match(result.stderr, /nix-collect-garbage/);
    await setting.machine.output("nix-collect-garbage");
    await assertSystem(setting.machine, systemOf(await deploy(setting)));
  });

  // Fault 24
  it("says so when nixos-rebuild is nowhere to be found", async (bench) => {
    const setting = await bench.fresh();
    const withoutDouble = (setting.client.env["PATH"] ?? "").split(":").slice(1);
    const node = `${setting.client.folder}/node-only`;
    fs.mkdirSync(node, { recursive: true });
    fs.rmSync(`${node}/node`, { force: true });
    fs.symlinkSync(process.execPath, `${node}/node`);
    const PATH = [node, ...withoutDouble].join(":");
    const client = { ...setting.client, env: { ...setting.client.env, PATH } };
    const result = await deploy({ ...setting, client });
    await assertNothingSwitched(setting, result);
    assert.match(result.stderr, /nixos-rebuild/);
  });
});
