// @ts-check
import fs from "node:fs";
import { gitTrouble } from "./trouble.mjs";

/** The machine's name in known_hosts: its address may change, its key may not. */
const HOST_KEY_ALIAS = "pulumi-nixos-machine";

/**
 * Writes what ssh needs to reach the machine, and nothing of the user's own configuration, agent or known hosts.
 *
 * A configuration file and not a list of options, because Nix and nixos-rebuild pass one text (NIX_SSHOPTS) to every
 * ssh they start, also to the one that goes to a builder, which has another host key.
 * @param {import("./settings.mjs").Settings} settings
 * @param {import("./privateFolder.mjs").PrivateFolder} folder
 */
export function writeSshFiles(settings, folder) {
  const [type, key] = settings.hostKey.split(" ");
  const knownHosts = folder.write("known_hosts", `${HOST_KEY_ALIAS} ${type} ${key}\n`);
  const identity = folder.write("id", settings.loginKey.endsWith("\n") ? settings.loginKey : `${settings.loginKey}\n`);
  return folder.write("ssh_config", sshConfig(settings, { knownHosts, identity }));
}

/**
 * @param {Pick<import("./settings.mjs").Settings, "host" | "port" | "buildOn">} settings
 * @param {{ knownHosts: string, identity: string }} files
 */
export function sshConfig({ host, port, buildOn }, { knownHosts, identity }) {
  const options = {
    Port: port,
    User: "root",
    // The pinned key or none: no trust on first use.
    HostKeyAlias: HOST_KEY_ALIAS,
    UserKnownHostsFile: knownHosts,
    GlobalKnownHostsFile: "none",
    StrictHostKeyChecking: "yes",
    CheckHostIP: "no",
    UpdateHostKeys: "no",
    // This key or none.
    IdentityFile: identity,
    IdentitiesOnly: "yes",
    IdentityAgent: "none",
    PreferredAuthentications: "publickey",
    PasswordAuthentication: "no",
    KbdInteractiveAuthentication: "no",
    BatchMode: "yes",
    // A frozen link ends after nine to twelve seconds, in every phase of a connection.
    ConnectTimeout: 10,
    ServerAliveInterval: 3,
    ServerAliveCountMax: 3,
    ForwardAgent: "no",
    ForwardX11: "no",
    ClearAllForwardings: "yes",
    LogLevel: "ERROR",
  };
  const lines = Object.entries(options).map(([name, value]) => `  ${name} ${value}`);
  const own = ["host", "local"].includes(buildOn) ? [] : builderSection(host);
  return [`Match originalhost ${namesOf(host)}`, ...lines, ...own, ""].join("\n");
}

/** Nix writes an IPv6 address in brackets. @param {string} host */
function namesOf(host) {
  return host.includes(":") ? `${host},[${host}]` : host;
}

/** A builder is the user's own: reached as the user reaches it. @param {string} host */
function builderSection(host) {
  return [
    `Match originalhost *,!${namesOf(host).replace(",", ",!")}`,
    "  BatchMode yes",
    "  ServerAliveInterval 3",
    "  ServerAliveCountMax 3",
    "  Include ~/.ssh/config",
    ...(fs.existsSync("/etc/ssh/ssh_config") ? ["  Include /etc/ssh/ssh_config"] : []),
  ];
}

/** @typedef {"host-key" | "login" | "address" | "refused" | "silent" | "lost" | "noise" | "other"} SshTrouble */

/**
 * What went wrong, from what ssh said. Undefined: it does not look like a matter of the connection.
 * @param {string} stderr
 * @returns {SshTrouble | undefined}
 */
export function sshTrouble(stderr) {
  const { kind } = gitTrouble({ code: 255, stderr });
  switch (kind) {
    case "host-key":
    case "noise":
      return kind;
    case "denied":
    case "identity":
      return "login";
    case "server":
      return "lost";
    case "unreachable":
      if (/Connection refused/i.test(stderr)) return "refused";
      return /timed out|No route to host|Network is unreachable|Host is down/i.test(stderr) ? "silent" : "address";
    default:
      return undefined;
  }
}

/** The last thing that ssh said, in one line. @param {string} stderr */
export function lastWords(stderr) {
  const lines = stderr
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !/^@+$|^Warning: Permanently added/.test(line));
  return lines.at(-1) ?? "";
}
