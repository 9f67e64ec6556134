// Deployments that succeed, on the loopback bench: real systemd, OpenSSH and Nix; the system is a stub and
// nixos-rebuild a double, so what these tests cannot prove is how the real two behave.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { Deployment, deploy, evaluate, output, run, startMachine } from "../../cli/rehearse/machine";
import { useBench } from "../support/bench";
import {
  activations,
  assertClientLeftClean,
  assertMachineLeftClean,
  assertSystem,
  isHeld,
  newestLog,
  rejectedSystems,
} from "../../cli/rehearse/machine/state";
import { until, type Result } from "../../cli/rehearse/machine";

/** The one line of standard output, as the component reads it. */
function report(result: Result): { systemPath: string; changed: boolean } {
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stdout, /^\{[^\n]*\}\n$/);
  return JSON.parse(result.stdout) as { systemPath: string; changed: boolean };
}

describe("a deployment", () => {
  const it = useBench();

  it("installs the system that was evaluated, and leaves nothing behind on either side", async (bench) => {
    const setting = await bench.fresh();
    const { machine } = setting;
    const result = await deploy(setting);
    const { systemPath, changed } = report(result);
    assert.match(systemPath, /^\/nix\/store\/[a-z0-9]{32}-nixos-system-bench-26\.05-default$/);
    assert.equal(changed, true);
    await assertSystem(machine, systemPath);
    assert.deepEqual(await activations(machine), [`switch ${systemPath}`]);
    assert.deepEqual(await rejectedSystems(machine), []);
    await assertMachineLeftClean(machine);
    await assertClientLeftClean(setting);
  });

  it("does nothing when the machine already has the system", async (bench) => {
    const setting = await bench.fresh();
    const { systemPath } = report(await deploy(setting));
    const double = setting.client.env["NIXOS_REBUILD_DOUBLE_LOG"] ?? "";
    const calls = fs.readFileSync(double, "utf8");
    const again = await deploy(setting);
    assert.deepEqual(report(again), { ...report(again), systemPath, changed: false });
    assert.deepEqual(await activations(setting.machine), [`switch ${systemPath}`]);
    assert.equal(fs.readFileSync(double, "utf8"), calls, "nixos-rebuild was called");
    await assertMachineLeftClean(setting.machine);
    console.log(`      unchanged system: ${again.milliseconds} ms`);
  });

  it("does nothing when an automatic upgrade has brought the machine there already", async (bench) => {
    const setting = await bench.fresh();
    const { machine, client, project } = setting;
    // As a pull does: built and switched on the machine itself.
    await machine.output("rm -rf /root/flake; mkdir /root/flake; tar -C /root/flake -x", {
      input: await output("tar", ["-C", path.join(project.folder, "nix"), "-c", "."], { env: client.env }),
    });
    const system = await machine.output(`
      system=$(nix build --no-link --print-out-paths path:/root/flake#nixosConfigurations.default.config.system.build.toplevel)
      nix-env -p /nix/var/nix/profiles/system --set $system
      $system/bin/switch-to-configuration switch
      echo $system`);
    assert.deepEqual(report(await deploy(setting)).systemPath, system);
    assert.deepEqual(await activations(machine), [`switch ${system}`]);
  });

  it("installs a change as the next generation", async (bench) => {
    const setting = await bench.fresh();
    const first = report(await deploy(setting)).systemPath;
    await setting.project.change();
    const second = report(await deploy(setting)).systemPath;
    assert.notEqual(second, first);
    await assertSystem(setting.machine, second);
    const generations = await setting.machine.output(
      "nix-env -p /nix/var/nix/profiles/system --list-generations | wc -l",
    );
    assert.equal(generations, "3");
    await assertMachineLeftClean(setting.machine);
  });

  it("installs what evaluate.mjs named, which prints the derivation path and nothing else", async (bench) => {
    const setting = await bench.fresh();
    const evaluated = await evaluate(setting);
    assert.equal(evaluated.code, 0, evaluated.stderr);
    assert.match(evaluated.stdout, /^\/nix\/store\/[a-z0-9]{32}-nixos-system-bench-26\.05-default\.drv\n?$/);
    const again = await evaluate(setting);
    assert.equal(again.stdout, evaluated.stdout);
    console.log(`      evaluated in ${evaluated.milliseconds} ms, unchanged in ${again.milliseconds} ms`);
    const { systemPath } = report(await deploy(setting, "default", { DEPLOY_DERIVATION: evaluated.stdout.trim() }));
    const outputs = await setting.machine.output(`nix-store --query --deriver ${systemPath}`);
    assert.equal(outputs, evaluated.stdout.trim());
  });

  it("says one short line a phase with its seconds, and keeps Nix's own words for the log", async (bench) => {
    const setting = await bench.fresh();
    const result = await deploy(setting, "second");
    const lines = result.stderr.trim().split("\n");
    assert.ok(lines.length >= 4 && lines.length <= 15, result.stderr);
    assert.ok(lines.filter((line) => /\(\d+\.\d s\)/.test(line)).length >= 4, result.stderr);
    const { initialSystem } = setting.machine;
    assert.match(lines.at(-5) ?? "", /^done: the machine runs another system, after \d+\.\d s$/);
    assert.deepEqual(lines.slice(-4, -2), [`  - ${initialSystem}`, `  + ${report(result).systemPath}`]);
    assert.match(lines.at(-2) ?? "", /^ {2}nixos-system-bench: \+6\d\.\d KiB$/);
    assert.match(lines.at(-1) ?? "", /^ {2}check \d+\.\d s, wait .*, release \d+\.\d s$/);
    for (const line of lines) {
      assert.ok(line.length <= 160, line);
    }
    assert.doesNotMatch(result.stderr, /copying path|building '/);
    const { text, file } = newestLog(setting);
    assert.match(text, /activating the configuration/);
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
  });

  it("calls nixos-rebuild with the arguments of 26.05 and those that were asked for", async (bench) => {
    const setting = await bench.fresh();
    const double = setting.client.env["NIXOS_REBUILD_DOUBLE_LOG"] ?? "";
    fs.rmSync(double, { force: true });
    const extra = JSON.stringify(["--option", "cores", "1"]);
    report(await deploy(setting, "default", { DEPLOY_EXTRA_ARGUMENTS: extra }));
    const switches = fs
      .readFileSync(double, "utf8")
      .trim()
      .split("\n")
      .filter((call) => call.includes(" switch "));
    assert.equal(switches.length, 1);
    assert.match(switches[0] ?? "", / --target-host root@127\.0\.0\.1 /);
    assert.match(switches[0] ?? "", / --no-reexec /);
    assert.match(switches[0] ?? "", / --option cores 1$/);
    assert.match(switches[0] ?? "", / --use-substitutes /);
    await setting.project.change();
    fs.rmSync(double);
    report(await deploy(setting, "default", { DEPLOY_SUBSTITUTE: "false" }));
    assert.doesNotMatch(fs.readFileSync(double, "utf8"), /--use-substitutes/);
  });

  it("builds on this computer where asked to, and copies the result", async (bench) => {
    const setting = await bench.fresh();
    const { systemPath } = report(await deploy(setting, "default", { DEPLOY_BUILD_ON: "local" }));
    await assertSystem(setting.machine, systemPath);
    const [command, args] = setting.client.command(setting.client.folder, "nix-store", [
      "--check-validity",
      systemPath,
    ]);
    assert.equal((await run(command, args, { env: setting.client.env })).code, 0);
    // The machine had nothing to build from.
    assert.notEqual((await setting.machine.run(`test -e $(nix-store --query --deriver ${systemPath})`)).code, 0);
    await assertMachineLeftClean(setting.machine);
    await assertClientLeftClean(setting);
  });

  it("builds on another machine where asked to, reached as the user's own ssh reaches it", async (bench) => {
    const setting = await bench.fresh();
    const builder = await startMachine();
    const key = path.join(setting.client.folder, "builder-key");
    try {
      fs.writeFileSync(key, builder.login.privateKey, { mode: 0o600 });
      const hosts = `${key}.known_hosts`;
      fs.writeFileSync(hosts, `[127.0.0.1]:${builder.port} ${builder.hostPublicKey}\n`);
      setting.client.addSshConfig(`
Host builder
  HostName 127.0.0.1
  Port ${builder.port}
  User root
  IdentityFile "${key}"
  UserKnownHostsFile "${hosts}"
`);
      const { systemPath } = report(await deploy(setting, "default", { DEPLOY_BUILD_ON: "root@builder" }));
      await assertSystem(setting.machine, systemPath);
      assert.equal((await builder.run(`nix-store --check-validity ${systemPath}`)).code, 0);
      assert.equal(await builder.output("readlink /run/current-system"), builder.initialSystem);
    } finally {
      await builder.stop();
      fs.rmSync(key, { force: true });
    }
  });

  it("holds the automatic upgrade while it works, and no longer", async (bench) => {
    const setting = await bench.fresh();
    const deployment = bench.track(await Deployment.start(setting, "slowActivation"));
    await deployment.until("the switch", async () => (await activations(setting.machine)).length > 0);
    assert.equal(await isHeld(setting.machine), true);
    report(await deployment.result());
    await until("the release", async () => !(await isHeld(setting.machine)));
  });

  // Fault 33
  it("refuses a flake folder that differs from its HEAD, and installs it when told to", async (bench) => {
    const setting = await bench.fresh();
    fs.writeFileSync(path.join(setting.project.folder, "nix", "untracked.txt"), "");
    const refused = await deploy(setting);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /untracked\.txt/);
    assert.match(refused.stderr, /allowDirty/);
    assert.equal(setting.proxy.connections, 0);
    report(await deploy(setting, "default", { DEPLOY_ALLOW_DIRTY: "true" }));
  });

  // Fault 34
  it("refuses a repository.json that names another repository than the stack's", async (bench) => {
    const setting = await bench.fresh();
    const refused = await deploy(setting, "default", { DEPLOY_REPOSITORY: "someone/else" });
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /repository\.json/);
    assert.match(refused.stderr, /someone\/else/);
    assert.equal(setting.proxy.connections, 0);
  });

  it("warns, naming both revisions, when HEAD is not on the branch that the machine follows", async (bench) => {
    const setting = await bench.fresh();
    const { project } = setting;
    await project.followRemote();
    const polled = await project.git("rev-parse", "--short=7", "HEAD");
    await project.change();
    const head = await project.git("rev-parse", "--short=7", "HEAD");
    const result = await deploy(setting);
    report(result);
    assert.ok(result.stderr.includes(polled) && result.stderr.includes(head), result.stderr);
  });
});
