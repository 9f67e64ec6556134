// The bench itself: that its machine is what the deployment tests take it for, and that it leaves this computer alone.
// What it cannot prove: that a NixOS machine of Amazon behaves the same; its system is a stub on Debian's systemd.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { output, run, until, type Machine } from "../../cli/rehearse/machine";
import { useBench } from "../support/bench";

/** An ssh command line that knows the machine and nothing else of this computer; `options` are more of them. */
function sshArguments(machine: Machine, port: number, folder: string, more: Record<string, string> = {}): string[] {
  fs.writeFileSync(path.join(folder, "key"), machine.login.privateKey, { mode: 0o600 });
  fs.writeFileSync(path.join(folder, "known_hosts"), `bench ${machine.hostPublicKey}\n`);
  const options = {
    HostKeyAlias: "bench",
    UserKnownHostsFile: path.join(folder, "known_hosts"),
    StrictHostKeyChecking: "yes",
    BatchMode: "yes",
    ...more,
  };
  const flags = Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  return ["-F", "none", "-i", path.join(folder, "key"), "-p", String(port), ...flags, `root@${machine.host}`];
}

describe("the loopback bench", () => {
  // One at a time: what is left after a test is looked for on the whole computer.
  const it = useBench(1);
  let folder: string;

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "bench-spec-"));
  });
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

  it("runs a systemd as PID 1, whose timers fire and whose transient units run", async (bench) => {
    const { machine } = await bench.fresh();
    assert.equal(await machine.output("ps -p 1 -o comm="), "systemd");
    assert.equal(await machine.output("systemd-run --quiet --pipe --wait /bin/echo done"), "done");
    await machine.output(
      "systemd-run --quiet --on-active=1 --timer-property=AccuracySec=10ms /usr/bin/touch /run/fired",
    );
    await until("the timer", async () => (await machine.run("test -e /run/fired")).code === 0);
  });

  it("lets root in over SSH with the host key and login key of the test, onto the PATH of a NixOS login", async (bench) => {
    const { machine, port } = await bench.fresh();
    const result = await run("ssh", [
      ...sshArguments(machine, port, folder),
      "echo $PATH; readlink /run/current-system",
    ]);
    assert.deepEqual([result.code, result.stderr], [0, ""]);
    const [searched = "", system] = result.stdout.trim().split("\n");
    assert.ok(searched.endsWith(":/run/current-system/sw/bin") && !searched.includes("/usr"), searched);
    assert.equal(system, machine.initialSystem);
  });

  it("gives a transient unit systemd's own commands on PATH and no others, as NixOS does", async (bench) => {
    const { machine } = await bench.fresh();
    assert.equal(
      await machine.output("systemd-run -q --pipe --wait /bin/bash -c 'type -P systemctl; type -P cat || echo none'"),
      "/run/bench/systemd/systemctl\nnone",
    );
  });

  it("has a store, a state and keys of its own, of which this computer sees nothing", async (bench) => {
    const { machine } = await bench.fresh();
    const before = fs.existsSync("/nix/store") ? fs.readdirSync("/nix/store").sort() : [];
    await machine.output(
      "touch /run/made-by-bench /var/lib/made-by-bench /root/made-by-bench /etc/made-by-bench /usr/made-by-bench",
    );
    for (const place of ["/run", "/var/lib", "/root", "/etc", "/usr"]) {
      assert.equal(fs.existsSync(`${place}/made-by-bench`), false, place);
    }
    assert.equal(fs.existsSync(machine.initialSystem), false);
    const after = fs.existsSync("/nix/store") ? fs.readdirSync("/nix/store").sort() : [];
    assert.deepEqual(after, before);
    assert.equal(await machine.output("stat -c %a /var/lib/id_ed25519"), "400");
    assert.equal(await machine.output("ls -A /root/.ssh"), "authorized_keys");
  });

  it("is gone after it is stopped: processes, mounts, control group and folder", async (bench) => {
    const { machine } = await bench.fresh();
    const marker = `31${Date.now() % 1e6}`;
    await machine.output(`systemd-run --quiet /bin/sleep ${marker}`);
    assert.equal((await run("pgrep", ["-f", `^/bin/sleep ${marker}`])).code, 0);
    await machine.stop();
    assert.equal((await run("pgrep", ["-f", `^/bin/sleep ${marker}`])).code, 1);
    const folders = fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith(`bench-machine-${process.pid}-`));
    assert.deepEqual(folders, []);
    assert.equal(fs.readFileSync("/proc/mounts", "utf8").includes(`bench-machine-${process.pid}-`), false);
  });

  it("goes with the process that started it, even when that is killed", async () => {
    const program = path.join(folder, "start.ts");
    fs.writeFileSync(
      program,
      `import { startMachine } from ${JSON.stringify(path.join(__dirname, "../../cli/rehearse/machine"))};
       void startMachine().then(async (machine) => {
         console.log(await machine.output("systemd-run --quiet --unit=left-behind /bin/sleep 3599; hostname"));
         setInterval(() => undefined, 1000);
       });`,
    );
    const child = spawn(process.execPath, ["--require", "tsx/cjs", program], {
      cwd: path.join(__dirname, "../.."),
      stdio: ["ignore", "pipe", "inherit"],
    });
    const said = await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
    assert.equal(String(said[0]).trim(), "bench");
    const inside = (await output("pgrep", ["-f", "^/bin/sleep 3599$"])).split("\n")[0];
    const group = /^0::(\/pulumi-nixos-bench-\d+)\//m.exec(fs.readFileSync(`/proc/${inside}/cgroup`, "utf8"))?.[1];
    const groups = await output("findmnt", [
      "--first-only",
      "--noheadings",
      "--types",
      "cgroup2",
      "--output",
      "TARGET",
    ]);
    assert.ok(group !== undefined && fs.existsSync(path.join(groups, group)));
    child.kill("SIGKILL");
    await until("the machine to go", async () => (await run("pgrep", ["-f", "^/bin/sleep 3599$"])).code === 1);
    await until("its control group to go", () => !fs.existsSync(path.join(groups, group)));
    // A killed process cannot remove its folder; nothing runs or is mounted there any more.
    for (const name of fs.readdirSync(os.tmpdir()).filter((entry) => entry.startsWith(`bench-machine-${child.pid}-`))) {
      fs.rmSync(path.join(os.tmpdir(), name), { recursive: true });
    }
  });

  it("installs a system with the double of nixos-rebuild, built on the machine by its own Nix", async (bench) => {
    const { client, machine, project, port } = await bench.fresh();
    const [, , , ...options] = sshArguments(machine, port, folder);
    const NIX_SSHOPTS = ["-F", "none", "-i", ...[path.join(folder, "key")], ...options.slice(1, -1)].join(" ");
    const target = `root@${machine.host}`;
    const rebuild = [
      "switch",
      "--flake",
      "path:./nix#default",
      "--target-host",
      target,
      "--build-host",
      target,
      "--no-reexec",
    ];
    const result = await run(...client.command(project.folder, "nixos-rebuild", rebuild), {
      env: { ...client.env, NIX_SSHOPTS, TMPDIR: folder },
    });
    assert.equal(result.code, 0, result.stderr);
    const system = result.stdout.trim();
    assert.match(system, /^\/nix\/store\/[a-z0-9]{32}-nixos-system-bench-26\.05-default$/);
    assert.equal(await machine.output("readlink /run/current-system"), system);
    assert.equal(await machine.output("readlink -f /nix/var/nix/profiles/system"), system);
    assert.equal(
      await machine.output("cat /boot/loader/default /var/lib/bench/activations"),
      `${system}\nswitch ${system}`,
    );
    assert.equal(fs.existsSync(system), false);
  });

  for (const flag of ["--fast", "--use-remote-sudo", "--no-ssh-tty", "--no-build-nix", "--nonsense"]) {
    it(`has a double of nixos-rebuild that refuses ${flag}`, async () => {
      const double = path.join(__dirname, "../../cli/rehearse/machine/nixos-rebuild");
      const result = await run(double, ["switch", "--flake", "path:.#default", flag]);
      assert.equal(result.code, 2);
      assert.ok(result.stderr.includes(flag), result.stderr);
    });
  }

  it("cuts, freezes and resets connections by its proxy", async (bench) => {
    const { machine, proxy, port } = await bench.fresh();
    const ssh = (command: string, more: Record<string, string> = {}) =>
      run("ssh", [...sshArguments(machine, port, folder, more), command]);
    proxy.set("refuse");
    assert.match((await ssh("true")).stderr, /reset by|closed by/);
    proxy.set("silent");
    assert.match((await ssh("true", { ConnectTimeout: "3" })).stderr, /timed out during banner exchange/);
    proxy.set("pass");
    const frozen = ssh("sleep 3600; echo never", { ServerAliveInterval: "2", ServerAliveCountMax: "3" });
    await until("the session", () => machine.run("pgrep -x sleep").then(({ code }) => code === 0));
    proxy.set("freeze");
    assert.match((await frozen).stderr, /Timeout, server bench not responding|Timeout, server .* not responding/);
    proxy.set("pass");
    const broken = ssh("sleep 3601; echo never");
    await until("the session", () => machine.run("pgrep -f '^sleep 3601'").then(({ code }) => code === 0));
    proxy.reset();
    const result = await broken;
    assert.deepEqual([result.code, result.stdout], [255, ""]);
    proxy.delayMilliseconds = 150;
    const late = await ssh("true");
    assert.equal(late.code, 0);
    assert.ok(late.milliseconds > 900, `${late.milliseconds} ms`);
  });
});
