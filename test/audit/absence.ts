// Runs a command, such as a suite of tests, as on a computer that lacks some programs: they are taken off PATH.
//   npx tsx test/audit/absence.ts sops,age npm run test:system
//   npx tsx test/audit/absence.ts all npm test
// What is absent skips and never fails.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathWithout } from "../support/without";

/** What a computer may lack: everything that the tests use beside Node, npm and the commands of every Unix. */
const OPTIONAL = {
  nix: "nix nix-build nix-collect-garbage nix-copy-closure nix-env nix-instantiate nix-shell nix-store".split(" "),
  ssh: ["ssh", "ssh-add", "ssh-agent", "ssh-keygen", "ssh-keyscan", "sshd"],
  sops: ["sops"],
  age: ["age", "age-keygen", "ssh-to-age"],
  systemd: ["systemctl", "systemd-run", "journalctl", "systemd-analyze"],
  nginx: ["nginx"],
  chromium: ["chromium", "chromium-browser", "google-chrome"],
  jq: ["jq"],
  git: ["git"],
  curl: ["curl"],
  nft: ["nft"],
  namespaces: ["unshare", "nsenter", "setpriv", "ip"],
  openssl: ["openssl"],
  python: ["python", "python3"],
  go: ["go", "gofmt"],
  nixfmt: ["nixfmt"],
  shell: ["shellcheck", "shfmt", "actionlint"],
  filesystems: ["mke2fs", "mkfs.ext4", "debugfs"],
  pulumi: ["pulumi", "pulumi-language-nodejs", "pulumi-language-yaml", "pulumi-resource-command"],
  cloud: ["aws", "gh"],
} satisfies Record<string, string[]>;

const [names = "", program = "", ...args] = process.argv.slice(2);
const known: Record<string, string[]> = { ...OPTIONAL, all: Object.values(OPTIONAL).flat() };
if (program === "") {
  console.error(
    `Usage: absence.ts NAMES COMMAND…; names, with commas: ${Object.keys(known).join(", ")}, or any program`,
  );
  process.exit(2);
}
const folder = mkdtempSync(path.join(tmpdir(), "absence-"));
try {
  const absent = names.split(",").flatMap((name) => known[name] ?? [name]);
  const PATH = pathWithout(absent, path.join(folder, "bin"));
  const env = { ...process.env, PATH, REQUIRE: "" };
  process.exitCode = spawnSync(program, args, { stdio: "inherit", env }).status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
