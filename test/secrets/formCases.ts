/**
 * Rows of the table of searchCases.ts for the single forms of secretForms.json: for each mark and each condition one file
 * that it is for, and one that only looks like it (forms.spec.ts asks for them). The values are made here, so that no
 * search of this repository takes them for secrets.
 */
import type { SearchCase } from "./searchCases";
import { base64, random } from "./random";

type Row = [what: string, file: string, content: string];

const HEX = () => Buffer.from(base64(20), "base64").toString("hex");
const PEM = (kind: string) => `-----BEGIN ${kind}PRIVATE ${"KEY"}-----\n${base64(120)}\n`;
const BORG_ID = Buffer.from(base64(32), "base64").toString("hex").padEnd(64, "0");
const JWT = () => ["eyJhbGciOiJSUzI1NiJ9", `eyJ${random(40)}`, random(40)].join(".");
const inBase64 = (text: string) => Buffer.from(text).toString("base64");

/** Marks of tokens that any file may hold, and what follows each. */
const TOKENS: [mark: string, rest: () => string][] = [
  ...["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "npm_"].map((mark): [string, () => string] => [
    mark,
    () => random(36),
  ]),
  ...[
    "glpat-",
    "glrt-",
    "gldt-",
    "glptt-",
    "glcbt-",
    "dop_v1_",
    "dckr_pat_",
    "pypi-AgE",
    "sk_live_",
    "rk_live_",
    "xoxb-",
    "xoxp-",
    "sk-ant-",
    "sk-proj-",
    "hvs.",
    "pul-",
  ].map((mark): [string, () => string] => [mark, () => random(24)]),
  ["tskey-", () => `auth-${random(12)}-${random(24)}`],
];
const AWS_NAMES = ["aws_secret_access_key", "AWS_SECRET_ACCESS_KEY", "secretAccessKey"];
const WIREGUARD_NAMES = [
  "privateKey",
  "presharedKey",
  "PRIVATE_KEY",
  "private_key",
  "private-key",
  "preshared_key",
  "PRESHARED_KEY",
];

const REFUSED: Row[] = [
  ...TOKENS.map(([mark, rest]): Row => [`a token that begins ${mark}`, "notes.txt", `x = "${mark}${rest()}"\n`]),
  ...AWS_NAMES.map((name): Row => [`a key of AWS as ${name}`, "notes.txt", `${name}: "${random(40)}"\n`]),
  ...WIREGUARD_NAMES.map((name): Row => [`a key of WireGuard as ${name}`, "vpn.txt", `${name} = "${base64(32)}"\n`]),
  // Each of the three places in four letters that a key's header can begin at.
  ...["", "x", "xx"].flatMap((shift): Row[] => [
    [`a key in base64 after ${shift.length} letters`, "key.b64", inBase64(shift + PEM("RSA "))],
    [
      `a PGP key in base64 after ${shift.length} letters`,
      "pgp.b64",
      inBase64(`${shift}-----BEGIN PGP PRIVATE ${"KEY"} BLOCK-----\n\n${base64(120)}\n`),
    ],
  ]),
  ["a key in base64 in YAML", "kube.yaml", `data:\n  tls.key: ${inBase64(PEM(""))}\n`],
  ["an old token of GitHub for Nix", "nix.conf", `access-tokens = github.com=${HEX()}\n`],
  ["a token of GitLab for Nix", "nix.conf", `access-tokens = gitlab.com=PAT:${random(20)}\n`],
  ["a login of GitLab for Nix", "nix.conf", `access-tokens = gitlab.com=OAuth2:${random(24)}\n`],
  ...["netrc.bak", ".netrc~", "nix-netrc", "netrc_ci"].map((file): Row => [
    `a password in ${file}`,
    file,
    `machine a.example.org login a password ${random(12)}\n`,
  ]),
  ["a Wi-Fi password of NetworkManager", "home.nmconnection", `[wifi-security]\npsk=${random(12)}\n`],
  ["a Wi-Fi password of iwd", "home.psk", `[Security]\nPassphrase=${random(12)}\n`],
  ["a password of MySQL", ".my.cnf", `[client]\npassword=${random(12)}\n`],
  ...[".env~", ".env.bak", ".env.orig", ".envrc~", "prod.env.old"].map((file): Row => [
    `a backup copy, ${file}`,
    file,
    `API_KEY=${random(24)}\n`,
  ]),
  ["plain secrets in TOML", "secrets.toml", `[db]\npassword = "${random(12)}"\n`],
  ["a copy of plain secrets in TOML", "secrets.toml.bak", `api_key = '${random(12)}'\n`],
  ["plain secrets in YAML", "prod-secrets.yaml", `db:\n  password: ${random(12)}\n`],
  ["plain secrets in JSON on a line", "app.secret.json", `{"user":"x","token":"${random(12)}"}\n`],
  ["a key in a .env", ".env", `STRIPE_KEY=${random(24)}\n`],
  ["a key in variables of Terraform", "prod.tfvars", `api_key = "${random(24)}"\n`],
  ["a password in variables of Terraform", "prod.tfvars", `db_password = "${random(12)}"\n`],
  ...[
    "secrets.yaml~",
    "secrets.yaml.bak",
    "secrets.yaml.orig",
    "secrets.yaml.1",
    "#secrets.yaml#",
    "hosts/web/secrets.json.old",
  ].map((file): Row => [`a backup copy, ${file}`, file, "password: hunter2\n"]),
  [
    "a key of OpenVPN in a profile",
    "client.ovpn",
    `<tls-auth>\n-----BEGIN OpenVPN Static key V1-----\n${HEX()}\n</tls-auth>\n`,
  ],
  ["a key of minisign", "minisign.key", `untrusted comment: minisign encrypted secret key\nRW${base64(60)}\n`],
  ["a key of signify", "base.sec", `untrusted comment: base secret key\nRW${base64(60)}\n`],
  ["a key of Borg", "borg.key", `BORG_KEY ${BORG_ID}\n${base64(90)}\n`],
  ["a private key in JSON", "jwk.json", JSON.stringify({ kty: "OKP", crv: "Ed25519", d: random(43), x: random(43) })],
  ["a token of Kubernetes", "kubeconfig", `users:\n- user:\n    token: ${JWT()}\n`],
  ...["pass", "password", "token", "client_secret", "key"].map((name): Row => [
    `a ${name} of rclone`,
    "rclone.conf",
    `[b]\ntype = b2\n${name} = ${random(24)}\n`,
  ]),
  ["variables of Terraform in JSON", "prod.tfvars.json", JSON.stringify({ db_password: random(12) })],
  // The name alone: Nix cannot read them.
  ...[".secrets.yaml.swp", ".secrets.yaml.swo", "secrets.yaml.swp", ".id_ed25519.swp", ".env.swp", ".prod.env.swp"].map(
    (file): Row => [`Vim's copy, ${file}`, file, `b0VIM 9.1\0${random(30)}`],
  ),
  ...["id_ed25519.bak", "id_rsa~", "deploy.pem.orig"].map((file): Row => [
    `a backup copy, ${file}`,
    file,
    PEM("OPENSSH "),
  ]),
];

const PLACEHOLDERS = [
  "",
  '""',
  "''",
  "changeme",
  "change-me",
  "CHANGE_ME",
  "replace-me",
  "REPLACE_ME",
  "your-api-key",
  "YOUR_API_KEY",
  "your_key_here",
  "<your key>",
  "${API_KEY}",
  "$API_KEY",
  "{{ api_key }}",
  "xxxxxxxx",
  "XXXXXXXX",
  "********",
  "...",
  "placeholder",
  "todo",
  "TODO",
  "example",
  "dummy",
  '"changeme"',
  "/run/secrets/api-key",
  "`pass api`",
];

const TAKEN: Row[] = [
  ...TOKENS.flatMap(([mark, rest]): Row[] => [
    [`prose about ${mark}`, "docs/tokens.md", `Such a token begins "${mark}", as in ${mark}….\n`],
    [
      `an example of ${mark}`,
      "docs/example.md",
      `${mark}${rest()
        .replaceAll(/[A-Za-z0-9]/g, "x")
        .replace(/^xxxx-/, "auth-")}\n`,
    ],
    [`a name that ends in ${mark}`, "x.nix", `{ x = "my_${mark}${rest()}"; }\n`],
  ]),
  ...[...AWS_NAMES, ...WIREGUARD_NAMES].map((name): Row => [
    `the name ${name}`,
    "vpn.nix",
    `{ ${name}File = "/run/secrets/x"; ${name} = config.x; }\n`,
  ]),
  ...AWS_NAMES.map((name): Row => [`an example of ${name}`, "aws.md", `${name} = ${"x".repeat(40)}\n`]),
  ["a longer name than WireGuard's", "app.nix", `{ myappprivateKey = "${base64(32)}"; }\n`],
  ...["", "x", "xx"].flatMap((shift): Row[] => {
    const key = inBase64(`${shift}-----BEGIN RSA PRIVATE ${"KEY"}-----`);
    const pgp = inBase64(`${shift}-----BEGIN PGP PRIVATE ${"KEY"} BLOCK-----`);
    return [[`prose about a key in base64 after ${shift.length} letters`, "docs/keys.md", `${key}… and ${pgp}…\n`]];
  }),
  ["a word like a part of a key in base64", "words.txt", `${inBase64(`PRIVATE ${"KEY"}-`)}${random(80)}\n`],
  ["a public key in base64", "pub.b64", inBase64(`-----BEGIN PUBLIC ${"KEY"}-----\n${base64(120)}\n`)],
  ["an age key's example", "docs/age.md", `AGE-SECRET-${"KEY"}-1${"X".repeat(58)}, or AGE-SECRET-${"KEY"}-1…\n`],
  ["an example of a private key", "docs/pem.md", `-----BEGIN PRIVATE ${"KEY"}-----\n${"x".repeat(64)}\n`],
  ["a header in the middle of another word", "docs/pem2.md", `NO PRIVATE ${"KEY"}-----\n${base64(60)}\n`],
  ["prose about PuTTY", "docs/putty.md", `A file of PuTTY begins PuTTY-User-${"Key"}-File-3: and so on.\n`],
  ["a signature of Nix", "x.narinfo.txt", `Sig: cache.nixos.org-1:${base64(64)}\n`],
  ["64 bytes and more in base64", "x.txt", `cache-1:${base64(64)}=x\n`],
  ["64 bytes in base64 without a name", "x.txt", `${base64(64)}\n`],
  [
    "a host of Nix's tokens",
    "docs/nix.md",
    "access-tokens = github.com=TOKEN gitlab.com=PAT:TOKEN gitlab.com=OAuth2:TOKEN\n",
  ],
  [
    "examples of GitLab's tokens for Nix",
    "docs/nix2.md",
    `access-tokens = a=PAT:${"x".repeat(20)} b=OAuth2:${"x".repeat(20)}\n`,
  ],
  ["PAT: elsewhere", "docs/pat.md", `PAT:${random(24)} OAuth2:${random(24)}\n`],
  ["npm's settings", ".npmrc", "//r.example.org/:_authToken=${T}\n//r.example.org/:_password=${P}\n"],
  ["npm's settings elsewhere", "docs/npm.md", "//r.example.org/:_authToken=abcdefghijkl\n"],
  ["Wi-Fi with a variable", "home.nmconnection", "[wifi-security]\npsk=$WIFI\nkey-mgmt=wpa-psk = x\nnopsk=1\n"],
  ["Wi-Fi of iwd with a variable", "home.psk", "[Security]\nPassphrase=$WIFI\n"],
  ["Wi-Fi elsewhere", "docs/wifi.md", "psk=hunter2\n"],
  ["a netrc without a password", ".netrc", "machine github.com login password\n"],
  ["a word in a netrc", ".netrc", "machine a login nopassword x\n"],
  ["prose about a netrc", "docs/netrc.md", "machine github.com login octocat password hunter2\n"],
  ["MySQL without a password", ".my.cnf", "[client]\nskip_password=1\npassword=\n"],
  ["prose about MySQL", "docs/mysql.md", "password=hunter2\n"],
  ["a Docker configuration", "docker/config.json", '{ "auth": "", "credsStore": "pass" }\n'],
  ["another JSON with a login", "app.json", `{ "auth": "${random(20)}" }\n`],
  ["a Terraform state of data only", "x.tfstate", '{ "resources": [{ "mode": "data" }] }\n'],
  ["a JSON with modes", "mode.json", '{ "mode": "managed" }\n'],
  ...PLACEHOLDERS.flatMap((value): Row[] => [
    [`API_KEY=${value}`, ".env", `API_KEY=${value}\n`],
    [`DB_PASSWORD=${value}`, ".env", `DB_PASSWORD=${value}\n`],
  ]),
  [
    "names of secrets in a .env",
    ".env",
    ["DB_PASSWORD_NAME=db", "API_KEY_ID=abcdefgh", "TOKEN_TTL=3600", "COLOUR=blue\n"].join("\n"),
  ],
  ["an address without a password", ".env", "DATABASE_URL=postgres://app@db.example.org/app\n"],
  ["prose about an address", "docs/db.md", `postgres://app:${random(10)}@db.example.org/app\n`],
  ["prose about a .env", "docs/env.md", "API_KEY=hunter2\nDB_PASSWORD=hunter2\n"],
  [
    "references to secrets",
    "prod-secrets.yaml",
    "secretName: db\npasswordFile: /run/secrets/db\npassword:\n  secretKeyRef: x\ntoken: ${TOKEN}\napi_key: changeme\n",
  ],
  ["settings of secrets", "secrets.toml", "[vault]\npassword_file = '/run/x'\nrotate = true\npassword = ''\n"],
  ["plain secrets in Nix's names", "secrets.nix", '{ password = config.x; token = "x"; "a.age".publicKeys = [ ]; }\n'],
  ["prose about secrets", "secrets.md", "password: hunter2\n"],
  ["another file with the word", "settings.toml", "password = 'hunter2'\n"],
  ["an example of secrets in TOML", "secrets.example.toml", "password = 'hunter2'\n"],
  ["an encrypted copy", "secrets.yaml~", "$ANSIBLE_VAULT;1.1;AES256\n3130\n"],
  [
    "prose about a key of OpenVPN",
    "docs/vpn.md",
    "Put `-----BEGIN OpenVPN Static key V1-----` and what follows into a secret.\n",
  ],
  ["a public key of minisign", "key.pub", `untrusted comment: minisign public key 1A2B\nRW${base64(40)}\n`],
  ["prose about a secret key", "docs/keys.md", "untrusted comment: minisign encrypted secret key\nand so on\n"],
  ["a secret key of another kind", "keys.txt.md", `my secret key\nRW${base64(60)}\n`],
  ["Borg's key in prose", "docs/borg.md", `See BORG_KEY ${BORG_ID}\n${base64(90)}\n`],
  ["a number in JSON of the name", "jwk.map.json", JSON.stringify({ d: 5 })],
  ["a token of something else", "notes.txt", `example: ${JWT()}\n`],
  ...["pass", "password", "token", "client_secret", "key"].flatMap((name): Row[] => [
    [`a comment of rclone about ${name}`, "rclone.conf", `# ${name} = x\n${name} =\n`],
    [`the word ${name} in other settings`, "other.conf", `${name} = colour\n`],
  ]),
  ["prose about Borg's key", "docs/borg.md", "A key of Borg begins so:\nBORG_KEY and the repository's id\n"],
  ["a public key in JSON", "jwks.json", JSON.stringify({ kty: "OKP", crv: "Ed25519", x: random(43) })],
  ["other JSON with the name", "map.json", JSON.stringify({ d: random(43) })],
  ["a token of an example", "docs/token.yaml", "token: eyJ…\n"],
  ["a setting of rclone without a secret", "rclone.conf", "[b]\ntype = s3\npassword =\nregion = eu\n"],
  ["a setting of Terraform in JSON", "a.tfvars.json", JSON.stringify({ password_file: "/x", colour: "red" })],
  ["Vim's copy of another file", ".flake.nix.swp", `b0VIM 9.1\0${random(30)}`],
  ["a backup copy of another file", "flake.nix~", "{ }\n"],
  ["a backup copy of a public key", "id_ed25519.pub.bak", `ssh-ed25519 ${base64(51)} me\n`],
];

export const FORM_CASES: SearchCase[] = [
  ...REFUSED.map(([what, file, content]) => ({ what, file, content, refused: true })),
  ...TAKEN.map(([what, file, content]) => ({ what, file, content, refused: false })),
];
