/**
 * The rules of a deployment's values, asked twice: by the component in the preview, by the deployment program in the
 * update. Each value below goes both ways; what one takes, the other must take too, or a preview would be green and the
 * update fail when the machine exists.
 * Cannot prove: that ssh, Nix and nixos-rebuild take what passes.
 */
import assert from "node:assert/strict";
import { DEFAULTS, RULES } from "../../components/deploy/rules.cjs";
import { DeploymentError } from "../../components/deploy/errors.mjs";
import { readSettings } from "../../components/deploy/settings.mjs";
import { NixosDeployment, type NixosDeploymentArgs } from "../../components/index";
import { cloud } from "../support/cloud";
import { newKey } from "../../cli/rehearse/keys";
import { only, refusal, run, type Values } from "../support/mocks";
import { revealed } from "../support/wire";

const login = newKey();
const publicKey = newKey().publicKeyOpenssh;
const long = "a".repeat(60_000);
const base: NixosDeploymentArgs = {
  host: "192.0.2.7",
  hostPublicKey: publicKey,
  loginKey: login.privateKeyOpenssh,
  instanceId: "i-1",
};

type Value = string | number | boolean | null | string[];

interface Case {
  /** Property of the component. */
  property: keyof NixosDeploymentArgs;
  /** Variable of the program. */
  variable: string;
  taken: Value[];
  refused: Value[];
}

const seconds = (lowest: number, highest: number) => ({
  taken: [lowest, 60, highest],
  refused: [lowest - 1, -1, highest + 1, 60.5, NaN],
});
const CASES: Case[] = [
  {
    property: "host",
    variable: "DEPLOY_HOST",
    taken: ["machine", "machine.example.com", "192.0.2.7", "2001:db8::7", "::1", "::ffff:192.0.2.7"],
    refused: [
      "-oProxyCommand=x",
      "a b",
      "a;b",
      "root@machine",
      "$(id)",
      "machine\n",
      "machine:22",
      "[::1]",
      "fe80::1%eth0",
      ":::",
      `${long} `,
    ],
  },
  { property: "sshPort", variable: "DEPLOY_PORT", taken: [1, 22, 65535], refused: [0, -1, 65536, 22.5, NaN] },
  {
    property: "hostPublicKey",
    variable: "DEPLOY_HOST_KEY",
    taken: [publicKey, publicKey.trim(), `${publicKey.trim()} root@machine`, `${publicKey.trim()} root@machine\n`],
    refused: [
      "ssh-rsa AAAA",
      "ssh-ed25519",
      `${publicKey.trim()}\r\n`,
      `${publicKey}${publicKey}`,
      ` ${publicKey}`,
      `${publicKey.trim()} \u001b[31m`,
    ],
  },
  {
    property: "machinePublicKey",
    variable: "DEPLOY_MACHINE_PUBLIC_KEY",
    taken: [publicKey, publicKey.trim()],
    refused: ["ssh-rsa AAAA", "AAAA"],
  },
  {
    property: "loginKey",
    variable: "DEPLOY_PRIVATE_KEY",
    taken: [login.privateKeyOpenssh, login.privateKeyOpenssh.trim()],
    refused: [login.privateKeyOpenssh.replaceAll("\n", "\r\n"), login.publicKeyOpenssh, "no key"],
  },
  {
    property: "flake",
    variable: "DEPLOY_FLAKE",
    taken: ["path:./nix#default", "git+file:.?dir=nix#web-1", "./nix#_x", "path:./nix#web.example.com"],
    refused: ["path:./nix", "path:./nix#", "#default", "--help#x", "a b#default", "path:./nix#a#b", "path:./nix#1"],
  },
  {
    property: "buildOn",
    variable: "DEPLOY_BUILD_ON",
    taken: ["host", "local", "builder", "builder.example.com", "root@192.0.2.9", "nix_1@builder"],
    refused: [
      "localhost",
      "root@fd00::2",
      "fd00::2",
      "builder:22",
      "-oProxyCommand=x",
      "a b",
      "a@b@c",
      "ssh://builder",
      "$(id)",
      "@builder",
      `${long}:`,
    ],
  },
  { property: "confirmSeconds", variable: "DEPLOY_CONFIRM_SECONDS", ...seconds(5, 3600) },
  { property: "switchSeconds", variable: "DEPLOY_SWITCH_SECONDS", ...seconds(1, 86400) },
  { property: "waitSeconds", variable: "DEPLOY_WAIT_SECONDS", ...seconds(1, 86400) },
  { property: "silentSeconds", variable: "DEPLOY_SILENT_SECONDS", ...seconds(1, 86400) },
  {
    property: "extraArguments",
    variable: "DEPLOY_EXTRA_ARGUMENTS",
    taken: [[], ["--show-trace"], ["--option", "max-jobs=4"], ["-v", "-L"], ["-Inixpkgs=/src"], ["-j4"], ["-kL"]],
    refused: [
      ["-pother"],
      ["-Lp"],
      ["-Fpath:x"],
      ["-kAx"],
      ["--impure"],
      ["--flake=x"],
      ["-F"],
      ["two words"],
      ["$HOME"],
      [""],
      ["a\nb"],
      ["--fast"],
      [`${long} `],
    ],
  },
  ...(
    [
      ["substitute", "DEPLOY_SUBSTITUTE"],
      ["allowDirty", "DEPLOY_ALLOW_DIRTY"],
      ["allowFailedUnits", "DEPLOY_ALLOW_FAILED_UNITS"],
    ] as const
  ).map(([property, variable]) => ({ property, variable, taken: [true, false], refused: ["yes", "True", 1, 0] })),
  {
    property: "repository",
    variable: "DEPLOY_REPOSITORY",
    taken: ["octo/server", "octo-org/pulumi-nixos.2"],
    refused: ["alone", "a/b/c", "octo/ser ver"],
  },
];

/** The environment of the program, as the component hands it over; or the component's refusal. */
async function handedOver(property: string, value: unknown): Promise<NodeJS.ProcessEnv> {
  const { resources } = await run(cloud(), () => new NixosDeployment("install", { ...base, [property]: value }));
  return revealed(only(resources, "command:local:Command").inputs["environment"] as Values) as NodeJS.ProcessEnv;
}

describe("the rules of a deployment's values", () => {
  for (const { property, variable, taken, refused } of CASES) {
    const name = (value: unknown) =>
      JSON.stringify(value)
        ?.slice(0, 50)
        .replace(/-----BEGIN.*/, "a private key");
    for (const value of taken)
      it(`${property} ${name(value)}: taken by the component and by the program`, async () => {
        const settings = readSettings(await handedOver(property, value));
        assert.equal(settings.hostKey, settings.hostKey.trim());
      });
    for (const value of refused)
      it(`${property} ${name(value)}: refused by the component and by the program`, async () => {
        const { error } = await refusal(cloud(), () => new NixosDeployment("install", { ...base, [property]: value }));
        assert.match(error.message, new RegExp(`${property}(\\[0\\])?: got `));
        const environment = await handedOver("host", "192.0.2.7");
        const told = Array.isArray(value) ? JSON.stringify(value) : String(value);
        assert.throws(
          () => readSettings({ ...environment, [variable]: told }),
          (error) => error instanceof DeploymentError && error.text().includes(`${variable}: got `),
        );
      });
  }

  it("take their own defaults", () => {
    const { flake, buildOn, sshPort, confirmSeconds, switchSeconds, waitSeconds, silentSeconds } = DEFAULTS;
    const values = { flake, buildOn, sshPort, confirmSeconds, switchSeconds, waitSeconds, silentSeconds };
    for (const [name, value] of Object.entries(values))
      assert.equal(RULES[name as keyof typeof values](value), undefined, name);
  });

  it("say where a builder's port and an IPv6 address go", () => {
    assert.match(RULES.buildOn("builder:22")?.remedy ?? "", /~\/\.ssh\/config/);
    assert.match(RULES.buildOn("root@fd00::2")?.remedy ?? "", /~\/\.ssh\/config/);
  });
});
