import { execFileSync } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { newAgeIdentity, recipientOfIdentity } from "../../components/keys/age";
import { newKey } from "../../cli/rehearse/keys";
import { FORM_CASES } from "./formCases";
import { base64, random } from "./random";

/** A file in a flake's folder, and whether it may be there. */
export interface SearchCase {
  what: string;
  file: string;
  content: string | Buffer;
  /** Other files that belong to it, seen from the flake's folder. */
  beside?: Record<string, string>;
  refused: boolean;
  /** Nix can read text only: what the evaluation says of other files is another matter. */
  notForNix?: boolean;
}

const ADMIN = recipientOfIdentity(newAgeIdentity());

const pkcs8 = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const pkcs1 = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs1", format: "pem" });
const sec1 = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey.export({ type: "sec1", format: "pem" });
const locked = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey.export({
  type: "sec1",
  format: "pem",
  cipher: "aes-256-cbc",
  passphrase: random(12),
});
const publicPem = generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "pem" }).toString();
const openssh = newKey();
/** What git-crypt leaves of a file where it is not unlocked (0.7: its header, a nonce, the rest encrypted). */
const gitCrypt = Buffer.concat([Buffer.from("\0GITCRYPT\0"), randomBytes(300)]);
// Put together here, so that no search of this repository takes this file for one of secrets.
const header = (kind: string) => `-----BEGIN ${kind}PRIVATE ${"KEY"}-----`;
const github = (kind: string) => `${kind}_${random(36)}`;
const fineGrained = `github_${"pat"}_${random(22)}_${random(59)}`;
const twice = (text: string) => JSON.stringify({ json: JSON.stringify({ key: text }) });

/** Without sops: keys, tokens, passwords, and what only looks like them. */
export const TEXT_CASES: SearchCase[] = [
  ...(
    [
      ["an OpenSSH key in a backup", "backup.bak", openssh.privateKeyOpenssh],
      ["an OpenSSH key without an ending of its name", "deploy_key", openssh.privateKeyOpenssh],
      ["an OpenSSH key with Windows' line ends", "notes.txt", openssh.privateKeyOpenssh.replaceAll("\n", "\r\n")],
      ["an OpenSSH key after a byte order mark", "notes.md", `\uFEFF${openssh.privateKeyOpenssh}`],
      [
        "an OpenSSH key far down in a large file",
        "www/app.js",
        `${"x".repeat(2_500_000)}\n${openssh.privateKeyOpenssh}`,
      ],
      ["an indented OpenSSH key", "machine.nix", openssh.privateKeyOpenssh.replaceAll(/^/gm, "      ")],
      ["a commented OpenSSH key", "a/b/c/d/e/f/old.conf", openssh.privateKeyOpenssh.replaceAll(/^/gm, "# ")],
      [
        "a key in a Terraform state",
        "terraform.tfstate",
        JSON.stringify({ private_key_openssh: openssh.privateKeyOpenssh }),
      ],
      ["a key in JSON", "service-account.json", JSON.stringify({ private_key: pkcs8 })],
      ["a key in JSON in JSON", "state.json", twice(pkcs8)],
      ["a key in a Nix string", "machine.nix", `{ key = "${pkcs8.replaceAll("\n", "\\n")}"; }\n`],
      [
        "a key put together line by line",
        "key.py",
        `key = (${pkcs8
          .trim()
          .split("\n")
          .map((line) => `"${line}\\n"`)
          .join("\n  + ")})\n`,
      ],
      ["a key on one line", "line.txt", pkcs8.replaceAll("\n", " ")],
      ["a PKCS 8 key", "tls.pem", pkcs8],
      ["an RSA key", "server.key", String(pkcs1)],
      ["an EC key", "server.key.old", String(sec1)],
      ["a key with a passphrase", "locked.pem", String(locked)],
      ["a PGP key", "me.asc", `-----BEGIN PGP PRIVATE ${"KEY"} BLOCK-----\n\n${base64(60)}\n`],
      [
        "a PGP key with a comment",
        "me.txt",
        `-----BEGIN PGP PRIVATE ${"KEY"} BLOCK-----\nVersion: GnuPG v2\nComment: backup\n\n${base64(60)}\n`,
      ],
      ["a key of ssh.com", "ssh2", `---- BEGIN SSH2 ENCRYPTED PRIVATE ${"KEY"} ----\nComment: "x"\n${base64(60)}\n`],
      [
        "a PuTTY key",
        "me.ppk",
        `PuTTY-User-${"Key"}-File-3: ssh-ed25519\nEncryption: none\nComment: x\nPublic-Lines: 2\n${base64(48)}\nPrivate-Lines: 1\n${base64(36)}\n`,
      ],
      ["an age key", "modules/admin", `# created\n${newAgeIdentity()}\n`],
      ["an age key in Nix", "machine.nix", `{ key = "${newAgeIdentity()}"; }`],
      [
        "a key in a kubeconfig",
        "kubeconfig",
        `users:\n- user:\n    client-key-data: ${Buffer.from(String(pkcs1)).toString("base64")}\n`,
      ],
      ["a signing key of Nix", "cache.sec", `cache.example.org-1:${base64(64)}`],
      ["a signing key of Nix in Nix", "machine.nix", `{ x = "cache-1:${base64(64)}"; }`],
      ["a WireGuard key", "wg0.conf", `[Interface]\nPrivateKey = ${base64(32)}\nAddress = 10.0.0.1/24\n`],
      ["a WireGuard key in Nix", "vpn.nix", `{ networking.wireguard.interfaces.wg0.privateKey = "${base64(32)}"; }`],
      ["a WireGuard preshared key", "vpn.nix", `{ presharedKey = "${base64(32)}"; }`],
      ["a GitHub token in Nix", "machine.nix", `{ nix.extraOptions = "access-tokens = github.com=${github("ghp")}"; }`],
      ["a GitHub token in an address", "notes", `https://x-access-token:${github("gho")}@github.com/octocat/site`],
      ["a user's GitHub token", "config.json", JSON.stringify({ token: github("ghu") })],
      ["an installation's GitHub token", "x.toml", `token = '${github("ghs")}'`],
      [
        "an installation's GitHub token of the long form",
        "y.toml",
        `x = 'ghs_${random(8)}_${random(20)}.${random(60)}.${random(60)}'`,
      ],
      ["a refresh token of GitHub", "z.sh", `export T=${github("ghr")}\n`],
      ["a fine-grained GitHub token", "README", `token: ${fineGrained}\n`],
      ["a GitLab token", ".gitlab", `glpat-${random(20)}`],
      ["an npm token", ".npmrc", `//registry.npmjs.org/:_authToken=npm_${random(36)}\n`],
      ["an npm password", ".npmrc", `//npm.example.org/:_password=${base64(12)}\n`],
      ["a Tailscale key", "tailscale.nix", `{ key = "tskey-auth-${random(12)}CNTRL-${random(32)}"; }`],
      [
        "keys of AWS",
        "credentials",
        `[default]\naws_access_key_id = AKIA${"QWERTYUIOPASDFGH"}\naws_secret_access_key = ${random(40)}\n`,
      ],
      ["keys of AWS in Nix", "x.nix", `{ environment.AWS_SECRET_ACCESS_KEY = "${random(40)}"; }`],
      ["a netrc", ".netrc", `machine github.com\n  login octocat\n  password ${random(12)}\n`],
      ["Nix's netrc file", "netrc", `machine cache.example.org password ${random(12)}\n`],
      ["a pgpass", ".pgpass", `localhost:5432:app:app:${random(12)}\n`],
      ["passwords of git", ".git-credentials", `https://octocat:${random(12)}@github.com\n`],
      ["a password of Ansible's vault", ".vault_pass", `${random(12)}\n`],
      ["an htpasswd", "www/.htpasswd", `octocat:$apr1$${random(8)}$${random(22)}\n`],
      ["a file that is a password", "secrets/db-password", `${random(12)}\n`],
      ["a file that is a password, as text", "password.txt", `${random(12)}\n`],
      ["a file that is a token", "k3s-token", `${random(40)}\n`],
      ["a Docker login", "docker/config.json", JSON.stringify({ auths: { "ghcr.io": { auth: base64(20) } } }, null, 2)],
      ["a pypirc", ".pypirc", `[pypi]\nusername = __token__\npassword = pypi-${random(30)}\n`],
      [
        "a Terraform state",
        "infra.tfstate.backup",
        JSON.stringify({ resources: [{ mode: "managed", type: "random_password" }] }, null, 2),
      ],
      ["a .env", ".env", `# database\nDB_HOST=localhost\nDB_PASSWORD=${random(12)}\n`],
      ["a .env with quotes", "app/.env.production", `export API_KEY="${random(24)}"\n`],
      ["an .env with an address", "prod.env", `DATABASE_URL=postgres://app:${random(10)}@db.example.org/app\n`],
      ["a token in .envrc", ".envrc", `use flake\nexport GITLAB_TOKEN=${random(20)}\n`],
      ["an SSH key by its name", "keys/id_rsa", ""],
      ["an age key by its name", "admin.age-key", ""],
      ["sops's keys by their name", "keys.txt", ""],
    ] as [string, string, string][]
  ).map(([what, file, content]) => ({ what, file, content, refused: true })),
  {
    what: "a key in UTF-16, as PowerShell writes it",
    file: "key.txt",
    content: Buffer.from(`\uFEFF${pkcs8}`, "utf16le"),
    refused: true,
    notForNix: true,
  },
  ...(
    [
      [
        "prose that mentions a key's header",
        "README.md",
        `A line "${header("")}" begins a key; a file without ${header("OPENSSH ")} has none.\n`,
      ],
      ["code that looks for a key's header", "check.nix", `match "${header("OPENSSH ")}" text\n`],
      ["a key's header and dots", "docs.md", `${header("")}\n...\n-----END PRIVATE ${"KEY"}-----\n`],
      ["a public key", "id_ed25519.pub", openssh.publicKeyOpenssh],
      ["a public key in PEM", "public.pem", publicPem],
      ["a public key of age", "admin", `${ADMIN}\n`],
      [
        "prose about tokens",
        "docs/tokens.md",
        "A token begins ghp_ or github_pat_ (ghp_…, github_pat_11ABC…, `gh[pousr]_[A-Za-z0-9]+`).\n",
      ],
      ["an example of a token", "docs/t.md", `ghp_${"x".repeat(36)} and github_pat_${"X".repeat(36)}\n`],
      ["a name that ends like a token", "x.nix", `{ my_ghp_${"a".repeat(40)} = 1; }`],
      ["a public key of a cache", "flake.nix", `{ keys = [ "cache.nixos.org-1:${base64(32)}" ]; }`],
      ["a hash of Nix", "package.nix", `{ hash = "sha512-${base64(64)}"; old = "sha512:${base64(64)}"; }`],
      ["hashes of npm", "package-lock.json", JSON.stringify({ integrity: `sha512-${base64(64)}` }, null, 2)],
      ["a WireGuard peer", "vpn.nix", `{ publicKey = "${base64(32)}"; privateKeyFile = "/run/secrets/wg"; }`],
      [
        "AWS's own example",
        "aws.md",
        `aws_secret_access_key = ${["wJalrXUtnFEMI", "K7MDENG", "bPxRfiCYEXAMPLEKEY"].join("/")}\n`,
      ],
      ["a certificate", "ca.crt", `-----BEGIN CERTIFICATE-----\n${base64(48)}\n-----END CERTIFICATE-----\n`],
      [
        "a certificate in a kubeconfig",
        "kubeconfig",
        `certificate-authority-data: ${Buffer.from("-----BEGIN CERTIFICATE-----\nMIIB").toString("base64")}${base64(60)}\n`,
      ],
      ["a file for age", "secrets/wifi.age", "age-encryption.org/v1\n-> X25519 abc\n"],
      [
        "a password that age encrypted",
        "db-password",
        `-----BEGIN AGE ENCRYPTED FILE-----\n${base64(40)}\n-----END AGE ENCRYPTED FILE-----\n`,
      ],
      ["a script about passwords", "change-password", "#!/bin/sh\npasswd\n"],
      [
        "an .env without secrets",
        ".env",
        ["COMPOSE_PROJECT_NAME=site", "PORT=8080", "PASSWORD_FILE=/run/secrets/db", "AUTH=true", ""].join("\n"),
      ],
      [
        "an .envrc that asks another program",
        ".envrc",
        "use flake\nexport GITHUB_TOKEN=$(gh auth token)\nexport AWS_PROFILE=prod\n",
      ],
      ["an example of an .env", ".env.example", "DB_PASSWORD=secret-one\n"],
      [
        "a lock file",
        "flake.lock",
        JSON.stringify({ nodes: { a: { locked: { narHash: `sha256-${base64(32)}` } } } }, null, 2),
      ],
      ["npm's configuration", ".npmrc", "//registry.npmjs.org/:_authToken=${NPM_TOKEN}\n"],
      [
        "a Terraform state of a remote backend",
        ".terraform/terraform.tfstate",
        JSON.stringify({ backend: { type: "s3" }, resources: [] }),
      ],
      [
        "code with passwords in its names",
        "login.nix",
        '{ passwordFile = config.sops.secrets."db-password".path; hashedPassword = "!"; }',
      ],
      ["a Nix file beside secrets", "secrets/default.nix", "{ sops.secrets.wifi = { }; }\n"],
      ["rules of sops", "secrets/.sops.yaml", `creation_rules:\n  - age: ${ADMIN}\n`],
      ["an example of secrets", "secrets.example.yaml", "password: change me\n"],
      ["a file that Ansible encrypted", "secrets.yaml", `$ANSIBLE_VAULT;1.1;AES256\n${"3130".repeat(10)}\n`],
      // docs/secrets.md says that these are not found.
      ["a password of no form, in Nix", "machine.nix", `{ users.users.a.initialPassword = "${random(12)}"; }\n`],
      [
        "a password of no form, in JSON",
        "settings.json",
        JSON.stringify({ database: { password: random(12) } }, null, 2),
      ],
      ["a token of another service", "notes.txt", `heroku: ${random(8)}-${random(4)}-${random(4)}-${random(12)}\n`],
      ["a long line", "long.txt", `${" ".repeat(60_000)}x${"=".repeat(60_000)}`],
      ["an empty file", "empty", ""],
    ] as [string, string, string][]
  ).map(([what, file, content]) => ({ what, file, content, refused: false })),
  ...(
    [
      ["a key store", "tls/server.jks", Buffer.concat([Buffer.from("feedfeed00000002", "hex"), randomBytes(500)])],
      ["an archive", "old.zip", Buffer.concat([Buffer.from("PK\x03\x04\0", "latin1"), randomBytes(500)])],
      ["a picture", "www/logo.png", Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n\0\0", "latin1"), randomBytes(5000)])],
      ["a database", "app.sqlite3", Buffer.concat([Buffer.from("SQLite format 3\0"), randomBytes(5000)])],
      ["a file that git-crypt locked, of a name of its own", "vault.bin", gitCrypt],
    ] as [string, string, Buffer][]
  ).map(([what, file, content]) => ({ what, file, content, refused: false })),
  ...(
    [
      ["vars.json filter=git-crypt diff=git-crypt\n", "vars.json"],
      ["secrets/** filter=git-crypt diff=git-crypt\n", "secrets/wifi.yaml"],
      ["# keys\n*.key filter=git-crypt diff=git-crypt\n", "tls/server.key"],
      ["blob binary\n", "bin/blob"],
    ] as const
  ).map(([attributes, file]) => ({
    what: `a file that git-crypt locked, by ${attributes.trim().split("\n").at(-1)!.split(" ")[0]} in .gitattributes`,
    file,
    content: gitCrypt,
    beside: { ".gitattributes": attributes },
    refused: false,
  })),
  {
    what: "a file that git-crypt locked, which the project's .gitattributes names",
    file: "vars.json",
    content: gitCrypt,
    beside: { "../.gitattributes": "nix/*.json filter=git-crypt diff=git-crypt\n" },
    refused: false,
  },
  // Nix stops with its own message, which names the file.
  { what: "a file that git-crypt locked", file: "vars.json", content: gitCrypt, refused: false, notForNix: true },
  {
    what: "a program",
    file: "tool",
    content: Buffer.concat([Buffer.from("\x7fELF\0"), randomBytes(500)]),
    refused: false,
    notForNix: true,
  },
  ...FORM_CASES,
];

/** A rule that is for some files in particular, and one that is for whatever is encrypted. */
const RULES = `creation_rules:
  - path_regex: nix/hosts/[^/]+/vault\\.(yaml|json|env|ini|txt)$
    age: ${ADMIN}
  - path_regex: \\.yaml$
    age: ${ADMIN}
`;

const PLAIN = {
  yaml: "password: hunter2\n",
  json: `${JSON.stringify(Object.fromEntries([["password", "hunter2"]]))}\n`,
  env: "PASSWORD=hunter2\n",
  ini: "[a]\npassword = hunter2\n",
};

/** With the real sops: what it writes may be there, and nothing else in its place. */
export function sopsCases(): SearchCase[] {
  const cases: SearchCase[] = [];
  const taken = (what: string, file: string, content: string, beside?: Record<string, string>) =>
    cases.push({ what, file, content, refused: false, ...(beside && { beside }) });
  const refused = (what: string, file: string, content: string, beside?: Record<string, string>) =>
    cases.push({ what, file, content, refused: true, ...(beside && { beside }) });

  const rich = encrypted(
    "x.yaml",
    `# a comment
password: x # beside it
"wifi:home": y
'a: b': z
"quo\\"ted # k": z
"${"long".repeat(40)}": a
n: 5
f: 1.5
b: true
d: 2026-01-01
none: null
e: ""
l: [1, x, {a: b}, [c, [d]]]
le: []
me: {}
multi: |
  a
  b
port_unencrypted: 80
open_unencrypted:
  a: 1
  l: [x]
after: c
`,
  );
  taken("a file of sops with all kinds of values", "secrets.yaml", rich);
  taken("a file of sops in another folder", "hosts/web/secrets.yaml", rich);
  taken("a file of sops with Windows' line ends", "secrets.yaml", rich.replaceAll("\n", "\r\n"));
  taken("a file of sops after a byte order mark", "secrets.yaml", `\uFEFF${rich}`);
  taken("a file of sops with a large value", "secrets.yaml", encrypted("x.yaml", `page: ${"x".repeat(300_000)}\n`));
  taken("a file of sops with two documents", "secrets.yaml", encrypted("x.yaml", "a: 1\n---\nb: 2\n"));
  const forPgp = rich.replace(
    "\nsops:\n",
    `\nsops:\n    pgp:\n        - created_at: "2026-01-01T00:00:00Z"\n          enc: |-\n            -----BEGIN PGP MESSAGE-----\n\n            ${base64(60)}\n            -----END PGP MESSAGE-----\n          fp: ${"A1".repeat(20)}\n`,
  );
  taken("a file of sops for a PGP key, too", "secrets.yaml", forPgp);
  refused("a plain value after a block with a PGP message", "secrets.yaml", `${forPgp}token: hunter2\n`);
  refused("a plain value before sops's block", "secrets.yaml", `token: hunter2\n${rich}`);
  refused("a plain value after sops's block", "secrets.yaml", `${rich}token: hunter2\n`);
  refused(
    "a plain value after sops's block, with Windows' line ends",
    "secrets.yaml",
    `${rich}token: hunter2\n`.replaceAll("\n", "\r\n"),
  );
  refused("a plain value of a quoted name", "secrets.yaml", `"wifi:home": hunter2\n${rich}`);
  refused("a plain value of a name with a colon", "secrets.yaml", `wifi:home: hunter2\n${rich}`);
  refused(
    "a plain value that ends like an encrypted one",
    "secrets.yaml",
    `wifi: hunter2 # ${encValue(rich)}\n${rich}`,
  );
  refused("a plain number", "secrets.yaml", `pin: 1234\n${rich}`);
  refused("a plain yes", "secrets.yaml", `pin: true\n${rich}`);
  refused("a plain list in a line", "secrets.yaml", `pins: [1, 2]\n${rich}`);
  refused("a plain map in a line", "secrets.yaml", `pins: {a: hunter2}\n${rich}`);
  refused("a plain item of a list", "secrets.yaml", `pins:\n    - hunter2\n${rich}`);
  refused("a plain text of several lines", "secrets.yaml", `text: |\n    hunter2\n${rich}`);
  refused("a plain text on the line after its name", "secrets.yaml", `text:\n    hunter2\n${rich}`);
  refused("a plain comment", "secrets.yaml", `# the old one was hunter2\n${rich}`);
  refused("a plain value beside open ones", "secrets.yaml", rich.replace(/^after: .*$/m, "after: hunter2"));
  refused("a plain value in a file of sops of any name", "hosts/web/vault.yaml", `token: hunter2\n${rich}`);
  refused("a plain file of the name", "secrets.yaml", PLAIN.yaml);
  refused("an empty file of the name", "secrets.yaml", "");
  refused("a file with sops's block and no signature", "secrets.yaml", `${PLAIN.yaml}sops:\n    version: 3.13.3\n`);

  for (const rule of [
    "encrypted_regex: ^(data|stringData)$",
    "unencrypted_regex: ^password",
    "encrypted_suffix: _secret",
    "unencrypted_suffix: word",
    "encrypted_comment_regex: sops:enc",
    "unencrypted_comment_regex: plain",
  ]) {
    const text = encrypted("x.yaml", "# plain\npassword: hunter2\ndata:\n    x: y\n", rule);
    refused(`a secret that "${rule}" leaves readable`, "secrets.yaml", text);
    taken(`a manifest that "${rule}" leaves readable`, "k8s/manifest.yaml", text);
  }
  taken(
    "a file of sops with mac_only_encrypted",
    "secrets.yaml",
    encrypted("x.yaml", PLAIN.yaml, "mac_only_encrypted: true"),
  );

  for (const ending of ["yaml", "json", "env", "ini"] as const) {
    const text = encrypted(`x.${ending}`, PLAIN[ending]);
    for (const file of [`secrets.${ending}`, `secrets/default.${ending}`, `secrets/hosts/web.${ending}`]) {
      taken(`sops's file ${file}`, file, text);
      refused(`the plain file ${file}`, file, PLAIN[ending]);
    }
    const vault = `hosts/web/vault.${ending}`;
    taken(`sops's file ${vault}`, vault, text, { "../.sops.yaml": RULES });
    refused(`the plain file ${vault}, which a creation rule is for`, vault, PLAIN[ending], { "../.sops.yaml": RULES });
    taken(
      `the plain file settings/app.${ending}, which only a rule for everything is for`,
      `settings/app.${ending}`,
      PLAIN[ending].replace("password", "colour").replace("PASSWORD", "COLOUR"),
      { "../.sops.yaml": RULES },
    );
  }
  taken("sops's file vault.txt", "hosts/web/vault.txt", encrypted("x.txt", "hunter2\n"), { "../.sops.yaml": RULES });
  refused("the plain file vault.txt, which a creation rule is for", "hosts/web/vault.txt", "hunter2\n", {
    "../.sops.yaml": RULES,
  });
  refused("a plain file that a rule in the flake's folder is for", "vault.yml", PLAIN.yaml, {
    ".sops.yaml": `creation_rules:\n- {path_regex: "^vault\\\\.ya?ml$", age: ${ADMIN}}\n`,
  });
  taken("a file beside a rule that only Go understands", "other.yaml", "colour: red\n", {
    "../.sops.yaml": `creation_rules:\n  - path_regex: (?i)[\\p{L}]+\\.vault$\n    age: ${ADMIN}\n`,
  });

  // Written in the ways of people: each rule is one for the file.
  for (const [rule, file] of [
    ["path_regex: hidden/.{1,9}\\.yaml$", "hidden/vault.yaml"],
    ["path_regex: hidden/[a-z]{3,}\\.yaml$ # ours", "hidden/vault.yaml"],
    ["path_regex: hid#den/.*\\.yaml$", "hid#den/vault.yaml"],
    ['"path_regex": "hidden/(?:(a|v).*|b+)\\\\.yaml$"', "hidden/vault.yaml"],
    ["'path_regex': ^(nix/)?hidden/[^/]+\\.(ya?ml|json)$", "hidden/vault.yaml"],
  ] as const) {
    const beside = { "../.sops.yaml": `creation_rules:\n  - ${rule}\n    age: ${ADMIN}\n` };
    refused(`a plain file that "${rule}" is for`, file, PLAIN.yaml, beside);
    taken(`sops's file that "${rule}" is for`, file, rich, beside);
  }
  // Nix would end the whole evaluation at what is no expression, and cannot be asked first.
  for (const pattern of [
    "hidden/{",
    "*.yaml",
    "hidden/(",
    "hidden/)",
    "hidden/[",
    "a{1",
    "hidden/.{1,9",
    "a**",
    "(?P<n>x)",
  ]) {
    taken(`a file beside the rule ${pattern}`, "other.yaml", "colour: red\n", {
      "../.sops.yaml": `creation_rules:\n  - path_regex: '${pattern}'\n    age: ${ADMIN}\n`,
    });
  }
  taken(
    "a file of sops with comments without words",
    "secrets.yaml",
    encrypted("x.yaml", "#\na: b\n#\n\n# c\nd:\n  #\n  e: f\n"),
  );
  taken("a .env of sops with a comment without words", "secrets.env", encrypted("x.env", "#\nA=b\n"));
  taken("an INI of sops with a quoted name", "secrets.ini", encrypted("x.ini", "[x]\n`a=b`=c\nd:e=f\n"));
  for (const file of [
    "db.sops.yaml",
    "hosts/web.enc.json",
    "secrets copy.yaml",
    "secrets (1).yaml",
    "secrets.yaml.dec",
  ]) {
    refused(`the plain file ${file}`, file, file.endsWith("json") ? PLAIN.json : PLAIN.yaml);
  }
  taken("sops's file of another ending", "hosts/db.sops.yaml", rich);

  const json = encrypted(
    "x.json",
    '{"a":1,"b":"x","c":[1,"y",{"d":true}],"e":null,"f":"","g":{},"h":[],"i:j":"k","port_unencrypted":5}',
  );
  taken("sops's JSON with all kinds of values", "secrets.json", json);
  refused("a plain value in sops's JSON", "secrets.json", json.replace(/^\t"b": .*$/m, '\t"b": "hunter2",'));
  refused("a plain number in sops's JSON", "secrets.json", json.replace(/^\t"b": .*$/m, '\t"b": 1234,'));
  refused(
    "a plain value after sops's block in JSON",
    "secrets.json",
    json.replace(/\n\t\}\n\}\n?$/, '\n\t},\n\t"z": "hunter2"\n}\n'),
  );
  const dotenv = encrypted("x.env", "# c\nA=b\nE=\nPORT_unencrypted=4\n");
  taken("sops's .env with all kinds of lines", "secrets.env", dotenv);
  taken("sops's .env of the usual name", ".env", encrypted("x.env", "DB_PASSWORD=hunter2\n"));
  refused("a plain line in sops's .env", "secrets.env", `${dotenv}PASSWORD=hunter2\n`);
  refused("a plain line like one of sops's in its .env", "secrets.env", `${dotenv}sops_password=hunter2\n`);
  const ini = encrypted("x.ini", "; c\ntop = 1\n[s]\nA=b\nE=\n");
  taken("sops's INI with all kinds of lines", "secrets.ini", ini);
  refused("a plain line in sops's INI", "secrets.ini", ini.replace("[s]\n", "[s]\nb = hunter2\n"));
  refused("a plain section after sops's in INI", "secrets.ini", `${ini}\n[z]\nb = hunter2\n`);
  taken("a binary file of sops", "cert.pem", encrypted("x.bin", pkcs8));
  return cases;
}

/** The first encrypted value of a text. */
function encValue(text: string): string {
  return /ENC\[[^\]]*\]/.exec(text)![0];
}

/** What the real sops makes of a text, under a rule of .sops.yaml. */
export function encrypted(name: string, text: string, rule = ""): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "sops-case-"));
  try {
    const config = path.join(folder, ".sops.yaml");
    fs.writeFileSync(config, `creation_rules:\n  - age: ${ADMIN}\n${rule === "" ? "" : `    ${rule}\n`}`);
    return execFileSync("sops", ["--config", config, "encrypt", "--filename-override", path.join(folder, name)], {
      input: text,
      env: { PATH: process.env["PATH"], HOME: folder },
    }).toString();
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
