import { ageRecipient } from "../../components/keys/age";
import { accessBy } from "../../components/deploy/access/index.cjs";
import { shortened, escapeInvisible } from "../../components/deploy/text.mjs";
import { readJson } from "../../components/values/nesting";
import { field, textField } from "../common/http";
import type { MachineFacts } from "./machineFacts";
import { failed, note, ok, type Result, skipped } from "../common/result";

/** What the machine is compared with. */
export interface Expected {
  /** age recipients of the machine's key, from the stack's outputs: several during a rotation. */
  ageRecipients: string[];
  access: string;
  branch: string;
  /** The branch's newest revision; empty if it could not be asked. */
  revision: string;
  /** Whether this checkout has nix/secrets.yaml. */
  secretsFile: boolean;
}

/** The verification of a machine, one result for each thing that can be wrong by itself. */
export function machineReport(facts: MachineFacts, expected: Expected): Result[] {
  const upgrades = facts["off"] === "yes" ? [switchedOff()] : upgradeReport(facts, expected);
  return [keyFile(facts, expected), ...upgrades, secrets(facts, expected), failedUnits(facts), disk(facts)];
}

function keyFile(facts: MachineFacts, { ageRecipients }: Expected): Result {
  const file = "/var/lib/id_ed25519";
  if (!facts["key-mode"]) {
    return failed(
      "key file",
      `there is no ${file}`,
      "User data writes it at boot: journalctl --unit amazon-init; `pulumi up` sets it again.",
    );
  }
  if (!facts["key-public"])
    return failed(
      "key file",
      `${file} holds no private key`,
      "`pulumi up` and a restart of the machine write it again.",
    );
  if (!ageRecipients.includes(recipientOf(facts["key-public"]))) {
    return failed(
      "key file",
      `${file} is another key than the stack's`,
      "Restart the machine, which writes it again from its user data; see docs/secrets.md on rotation.",
    );
  }
  return facts["key-mode"] === "400 root"
    ? ok("key file", `${file} is the stack's key, readable by root alone`)
    : failed(
        "key file",
        `${file} has mode and owner ${facts["key-mode"]}; expected 400 root`,
        `On the machine: chown root ${file} && chmod 0400 ${file}`,
      );
}

function recipientOf(publicKey: string): string {
  try {
    return ageRecipient(publicKey);
  } catch {
    return "";
  }
}

function switchedOff(): Result {
  return note(
    "upgrades",
    "the machine's own configuration switches them off",
    "Remove pulumiNixos.upgrade.enable = false from nix/ to change that.",
  );
}

function upgradeReport(facts: MachineFacts, expected: Expected): Result[] {
  const timer = facts["timer"] ?? "";
  return [
    timer === "active"
      ? ok("timer", "nixos-upgrade.timer is active")
      : failed(
          "timer",
          `nixos-upgrade.timer is ${timer === "" || timer === "inactive" ? "not active: the machine does not look for upgrades" : timer}`,
          "On the machine: systemctl status nixos-upgrade.timer; `pulumi up` installs the system that has it.",
        ),
    readable(facts),
    lastUpgrade(facts),
    revision(facts, expected),
  ];
}

/** The probe has just asked the repository; `contact` is the time of its last answer. */
function readable(facts: MachineFacts): Result {
  const probe = readJson(facts["probe"] ?? "");
  if (facts["probe-unit"] !== "loaded" || probe === undefined) {
    return skipped("repository", "the machine has no probe yet: the first deployment brings it");
  }
  const problems = field(probe, "problems");
  const messages = Array.isArray(problems) ? problems.slice(0, 10).map((problem) => words(problem, "message")) : [];
  const [contact, at] = [field(probe, "contact"), field(probe, "at")];
  // What it wrote the last time says nothing of today.
  if (typeof at === "number" && at < Number(facts["asked"] ?? at)) {
    return failed(
      "repository",
      "the machine has not answered within a minute whether it can read it",
      "Run this again; on the machine: systemctl status nixos-upgrade-freshness.service",
    );
  }
  if (typeof at !== "number" || contact !== at) {
    const why = words(readJson(facts["state"] ?? ""), "error", "message");
    return failed(
      "repository",
      `the machine cannot read it${why === "" ? "" : `: ${why}`}`,
      "docs/trouble/expired-token.md, for deploy keys too",
    );
  }
  return messages.length === 0
    ? ok("repository", "the machine has just read it")
    : failed("repository", messages.join(" "), "docs/trouble/failed-upgrade.md");
}

function lastUpgrade(facts: MachineFacts): Result {
  const state = readJson(facts["state"] ?? "");
  if (state === undefined)
    return note("last upgrade", "none yet", "The first one follows the first push within a minute.");
  const error = field(state, "error");
  if (error !== null && error !== undefined) {
    return failed(
      "last upgrade",
      `${words(error, "message")} (${ago(field(error, "since"), facts)})`,
      "docs/trouble/failed-upgrade.md",
    );
  }
  if (field(state, "waiting") === true)
    return note("last upgrade", "waiting for the first push", "git push -u origin HEAD");
  const phase = words(state, "phase");
  if (phase === "awaiting")
    return note("last upgrade", "waiting for CI to release the new revision", "Look at its run: docs/releases.md");
  if (phase !== "") return note("last upgrade", `one is at work (${phase})`);
  const success = field(state, "success");
  return typeof success === "number"
    ? ok("last upgrade", `worked, ${ago(success, facts)}`)
    : note("last upgrade", "none yet", "The first one follows the first push within a minute.");
}

function revision(facts: MachineFacts, { branch, revision: wanted }: Expected): Result {
  const running = field(readJson(facts["state"] ?? ""), "running");
  const installed = textField(running, "system") === facts["system"] ? textField(running, "revision") : "";
  if (installed === "")
    return note(
      "revision",
      "the running system came from a deployment, or is older than the record",
      "It is recorded at the next upgrade.",
    );
  if (wanted === "") return note("revision", `runs ${short(installed)}; the newest of ${branch} could not be asked`);
  return installed === wanted
    ? ok("revision", `runs ${short(installed)}, the newest of ${branch}`)
    : failed(
        "revision",
        `runs ${short(installed)}; ${branch} is at ${short(wanted)}`,
        "A merge takes a minute and the time of its build; then docs/trouble/failed-upgrade.md",
      );
}

function secrets(facts: MachineFacts, { access, secretsFile }: Expected): Result {
  const open = (facts["secrets"] ?? "").split(" ").filter((name) => name !== "");
  const { secret } = accessBy(access);
  if (secret !== undefined && !open.includes(secret.name)) {
    return failed(
      "open secrets",
      `the machine has not opened ${secret.name}, which it reads its repository with`,
      "npm run secrets -- check, then journalctl --unit sops-install-secrets on the machine",
    );
  }
  if (open.length > 0) return ok("open secrets", open.join(", "));
  return secretsFile
    ? note(
        "open secrets",
        "none, though nix/secrets.yaml is here",
        "A secret is opened where nix/ declares it (sops.secrets.<name> = { };) and that system runs.",
      )
    : skipped("open secrets", "there is no nix/secrets.yaml");
}

function failedUnits(facts: MachineFacts): Result {
  const units = facts["failed-units"] ?? "";
  return units === ""
    ? ok("units", "none has failed")
    : failed("units", `failed: ${units}`, "On the machine: systemctl status <unit>");
}

function disk(facts: MachineFacts): Result {
  const used = Number(facts["disk"] || NaN);
  if (Number.isNaN(used)) return skipped("disk", "the machine did not say");
  const found = `${used} % of the Nix store's disk is used`;
  return used < 90 ? ok("disk", found) : failed("disk", found, "docs/trouble/full-disk.md");
}

function ago(time: unknown, facts: MachineFacts): string {
  const now = Number(facts["now"]);
  if (typeof time !== "number" || Number.isNaN(now)) return "at an unknown time";
  const minutes = Math.max(0, Math.floor((now - time) / 60));
  if (minutes < 120) return `${minutes} minutes ago`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} hours ago` : `${Math.floor(minutes / 1440)} days ago`;
}

/** Words that the machine chose: one line, in bounds. */
function words(body: unknown, ...names: string[]): string {
  return escapeInvisible(shortened(textField(body, ...names), 300));
}

function short(revision: string): string {
  return escapeInvisible(revision.slice(0, 10));
}
