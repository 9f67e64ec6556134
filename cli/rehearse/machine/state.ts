import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { until } from "../until";
import type { Setting } from "./deployment";
import type { Machine } from "./machine";
import { run, type Result } from "../processes";

/** The system that a deployment says it has installed; fails with its words if it failed. */
export function systemOf(result: Result): string {
  assert.equal(result.code, 0, result.stderr);
  return (JSON.parse(result.stdout) as { systemPath: string }).systemPath;
}

/** Where a machine stands. */
export interface SystemState {
  /** What runs. */
  current: string;
  /** What /nix/var/nix/profiles/system points to. */
  profile: string;
  /** What the boot loader starts next. */
  boot: string;
}

export async function systemState(machine: Machine): Promise<SystemState> {
  const script =
    "for link in /run/current-system /nix/var/nix/profiles/system; do readlink -f $link; done; cat /boot/loader/default";
  const [current = "", profile = "", boot = ""] = (await machine.output(script)).split("\n");
  return { current, profile, boot };
}

/** Running, in the profile and started next: the same system three times. */
export async function assertSystem(machine: Machine, system: string): Promise<void> {
  assert.deepEqual(await systemState(machine), { current: system, profile: system, boot: system });
}

/** What was activated since the machine's start, in order: "switch /nix/store/…". */
export async function activations(machine: Machine): Promise<string[]> {
  return (await machine.output("cat /var/lib/bench/activations")).split("\n").filter((line) => line !== "");
}

/** The store paths that the automatic upgrade is to leave alone. */
export async function rejectedSystems(machine: Machine): Promise<string[]> {
  const lines = (await machine.output("cat /var/lib/nixos-deploy/rejected 2>/dev/null || true")).split("\n");
  return lines.map((line) => line.split(" ")[0] ?? "").filter((system) => system !== "");
}

/** Whether the automatic upgrade may not start at the moment. */
export async function isHeld(machine: Machine): Promise<boolean> {
  const script = `until=$(cat /run/nixos-deploy/hold 2>/dev/null || echo 0); ((until > $(date +%s))) && echo held || echo free`;
  return (await machine.output(script)) === "held";
}

/** Nothing of a deployment is left on the machine but what it installed. */
export async function assertMachineLeftClean(machine: Machine): Promise<void> {
  assert.equal(await isHeld(machine), false, "the automatic upgrade is still held");
  const units = await machine.output(
    "systemctl list-units --all --no-legend --plain 'nixos-deploy*' 'nixos-rebuild*' | cut -d' ' -f1; ls /run/systemd/system /run/systemd/transient 2>/dev/null | grep nixos- || true",
  );
  assert.equal(units, "", "units are left on the machine");
  // The server notices the end of a connection a moment after the client.
  await until("the end of every SSH session", async () => (await machine.run("pgrep -f '^sshd: root'")).code === 1);
}

/** No program of the deployment runs any more, and its key is nowhere on the client. */
export async function assertClientLeftClean(setting: Setting): Promise<void> {
  // The shell that removes the key's folder ends a moment after the deployment.
  await until("the end of every program on the client", () => setting.client.processes().length === 0);
  assert.deepEqual(await filesWithKey(setting), [], "files with the private key are left");
}

/** Files of the client, or new in the temporary folder that it shares with this computer, that hold the private key. */
export async function filesWithKey({ client, machine }: Setting): Promise<string[]> {
  const line = machine.login.privateKey.split("\n")[2] ?? "";
  assert.ok(line.length > 40, "a line of the key is what is searched for");
  const folders = [client.folder, path.dirname(path.dirname(client.folder))];
  const search = ["-newer", path.join(client.folder, "nix-conf"), "-type", "f", "-size", "-64k"];
  // Both programs complain of files that vanish meanwhile, which is no matter.
  const result = await run("find", [...folders, ...search, "-exec", "grep", "-lF", line, "{}", "+"]);
  return [...new Set(result.stdout.split("\n").filter((file) => file !== ""))];
}

/** The text of the newest log of the client's deployments, and its path. */
export function newestLog(setting: Setting): { file: string; text: string } {
  const folder = path.join(setting.client.folder, "state", "pulumi-nixos", "logs");
  const name = fs.readdirSync(folder).sort().at(-1);
  assert.ok(name !== undefined, "there is no log");
  const file = path.join(folder, name);
  return { file, text: fs.readFileSync(file, "utf8") };
}
