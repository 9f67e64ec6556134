/**
 * stackConfig.ts: a stack's configuration becomes the arguments of ContinuousDeployment, or one error with every problem.
 * Cannot prove: in which form the engine hands over a value (texts as they are, everything else as JSON: measured).
 */
import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import { typed } from "../../cli/rehearse/drivers/engineRun";
import { withKeys } from "../../cli/common/stackFile";
import { CONFIG_KEYS, MOVED } from "../../program/configKeys";
import { readConfig } from "../../program/readConfig";
import { stackConfig } from "../../program/stackConfig";
import { awaitedFacts } from "../support/awaited";
import { newKey } from "../../cli/rehearse/keys";

const REPOSITORY = JSON.stringify({ owner: "octo", name: "server", branch: "main", access: "deploy-key" });
const project = "pulumi-nixos";
const KEY = newKey().privateKeyOpenssh;
const SECRETS = ["adoptedKey", "adoptedHostKey"].map((key) => `${project}:${key}`);
const WORKFLOW = `on:
  pull_request:
jobs:
  evaluate:
    name: Evaluate flake.nix
  default:
    name: nixosConfig default
  build: {}
`;

/** @param own values by their paths: texts, or what JSON makes of them */
function read(
  own: Record<string, unknown> = {},
  others: Record<string, string> = {},
  repository = REPOSITORY,
  encrypted = SECRETS,
) {
  const warnings: string[] = [];
  const config = withKeys(others, `${project}:`, own);
  const args = stackConfig(config, project, repository, [WORKFLOW], encrypted, {}, (text) => warnings.push(text));
  return { ...args, warnings };
}

function problemsOf(
  own: Record<string, unknown>,
  others: Record<string, string> = {},
  repository = REPOSITORY,
  encrypted = SECRETS,
): string[] {
  try {
    read(own, others, repository, encrypted);
  } catch (error) {
    assert.ok(pulumi.RunError.isInstance(error));
    const [head, ...problems] = error.message.split("\n  - ");
    assert.equal(
      head,
      `The configuration of this stack has ${problems.length} problem${problems.length === 1 ? "" : "s"}:`,
    );
    return problems;
  }
  return [];
}

describe("stackConfig", () => {
  it("takes owner, name, branch and access from nix/repository.json", () => {
    const { owner, repositoryName, branch, access } = read();
    assert.deepEqual(
      { owner, repositoryName, branch, access },
      { owner: "octo", repositoryName: "server", branch: "main", access: "deploy-key" },
    );
  });

  // One value of every key. Each arrives under the path of its key.
  const values: Record<string, unknown> = {
    "machine.release": "25.11",
    "machine.amiId": "ami-12345678",
    "machine.instanceType": "m7i.large",
    "machine.rootVolumeGiB": 40,
    "machine.subnetId": "subnet-12345678",
    "machine.sshCidrBlocks": ["10.0.0.0/8"],
    "machine.sshIpv6CidrBlocks": [],
    "machine.httpCidrBlocks": ["192.0.2.0/24"],
    "machine.httpIpv6CidrBlocks": ["2001:db8::/32"],
    "machine.httpPorts": [80, 443],
    "machine.extraRules": ["udp/51820 0.0.0.0/0"],
    "machine.allowedRuleIds": ["sgr-12345678"],
    "machine.exclusiveRules": true,
    "repository.create": false,
    "repository.visibility": "public",
    "repository.branchProtection": "ruleset",
    "repository.checksFrom": "other",
    "repository.requiredChecks": ["build"],
    "repository.requiredReviews": 2,
    "repository.enforceAdmins": true,
    "repository.onDestroy": "retain",
    "repository.githubPlan": "paid",
    "deployment.flake": "path:./nix#web",
    "deployment.buildOn": "local",
    "deployment.substitute": false,
    "deployment.evaluate": false,
    "deployment.confirmSeconds": 90,
    "deployment.allowDirty": true,
    "integration.cache": true,
    "integration.githubActionsRoles": true,
    "integration.ownerId": 12,
    "integration.oidcProviderArn": "arn:aws:iam::123456789012:oidc-provider/example",
    "integration.previews": "cloud",
    "integration.environments": true,
    "integration.deployEnvironment": "production",
    "integration.deployReviewers": [12],
    "integration.deployInstanceTypes": ["t3.medium"],
    "integration.stateBucketArn": "arn:aws:s3:::state",
    "integration.stateKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1a2b",
    keyVersions: [1, 2],
    separateMachineKey: true,
    adoptedKey: KEY,
    adoptedHostKey: KEY,
    protect: true,
  };
  /** What some need beside them. */
  const companions: Record<string, Record<string, unknown>> = {
    "integration.githubActionsRoles": { "integration.ownerId": 12 },
    "integration.deployReviewers": { "integration.environments": true, "integration.deployEnvironment": "x" },
    "integration.stateBucketArn": { "integration.stateKeyArn": values["integration.stateKeyArn"] },
    "integration.stateKeyArn": { "integration.stateBucketArn": values["integration.stateBucketArn"] },
  };

  it("has a value here for every key that it knows", () => {
    assert.deepEqual(Object.keys(values).sort(), Object.keys(CONFIG_KEYS).sort());
  });

  const at = (args: object, path: string): unknown =>
    path.split(".").reduce<unknown>((part, name) => (part as Record<string, unknown>)[name], args);

  async function assertArrives(args: object, path: string): Promise<void> {
    const arrived = at(args, path);
    // No component knows it.
    if (path === "repository.checksFrom") return assert.equal(arrived, undefined);
    if (!path.startsWith("adopted")) return assert.deepEqual(arrived, values[path]);
    const { value, secret } = await awaitedFacts(arrived as pulumi.Output<unknown>);
    assert.deepEqual([value, secret], [KEY, true]);
  }

  for (const [path, value] of Object.entries(values)) {
    it(`hands ${path} on`, () => assertArrives(read({ ...companions[path], [path]: value }), path));
  }

  for (const [name, path] of Object.entries(MOVED)) {
    it(`hands ${name} of the last version on as ${path}, and says so`, async () => {
      const args = read({ ...companions[path], [name]: values[path] });
      await assertArrives(args, path);
      assert.equal(args.warnings.length, 1);
      const command = `pulumi-nixos:${name} is now pulumi-nixos:${path}: pulumi config set --path ${path} `;
      assert.ok(args.warnings[0]!.includes(command), args.warnings[0]);
      assert.ok(args.warnings[0]!.endsWith(` && pulumi config rm ${name}`), args.warnings[0]);
    });
  }

  it("has one warning for all keys of the last version, with commands that a shell takes", () => {
    const { warnings } = read({ instanceType: "t3.large", sshCidrBlocks: ["10.0.0.0/8"], amiId: "", ci: "other" });
    assert.deepEqual(warnings[0]!.split("\n").slice(1), [
      "  pulumi-nixos:instanceType is now pulumi-nixos:machine.instanceType: pulumi config set --path machine.instanceType t3.large && pulumi config rm instanceType",
      `  pulumi-nixos:sshCidrBlocks is now pulumi-nixos:machine.sshCidrBlocks: pulumi config set --path machine.sshCidrBlocks '["10.0.0.0/8"]' && pulumi config rm sshCidrBlocks`,
      "  pulumi-nixos:amiId is now pulumi-nixos:machine.amiId: pulumi config rm amiId",
      "  pulumi-nixos:ci is now pulumi-nixos:repository.checksFrom: pulumi config set --path repository.checksFrom other && pulumi config rm ci",
    ]);
    assert.equal(warnings.length, 1);
    assert.deepEqual(read({ "machine.instanceType": "t3.large" }).warnings, []);
  });

  it("does not show a value of the last version that is encrypted", () => {
    const { warnings } = read(
      { stateKeyArn: "arn:aws:kms:us-east-1:1:key/2", stateBucketArn: "arn:aws:s3:::b" },
      {},
      REPOSITORY,
      [`${project}:stateKeyArn`],
    );
    assert.match(
      warnings[0]!,
      /pulumi config set --path --secret integration\.stateKeyArn && pulumi config rm stateKeyArn/,
    );
    assert.doesNotMatch(warnings[0]!, /key\/2/);
  });

  it("refuses a key under both names, also where they say the same", () => {
    assert.deepEqual(problemsOf({ plan: "paid", "repository.githubPlan": "paid" }), [
      "pulumi-nixos:plan: pulumi-nixos:repository.githubPlan is set too, its name of today. Take the old one away: " +
        "pulumi config rm plan (or from Pulumi.yaml, if it is there).",
    ]);
    assert.equal(problemsOf({ keyGenerations: [1], keyVersions: [1] }).length, 1);
    // The last version's "none".
    assert.deepEqual(problemsOf({ githubOwnerId: 0, amiId: "", "machine.amiId": "ami-12345678" }), []);
  });

  it("leaves what is not configured to the components", () => {
    const { machine, repository, deployment, integration, ...rest } = read({ machine: "{}", integration: "{}" });
    assert.deepEqual([machine, repository, deployment, integration], [{}, {}, {}, {}]);
    assert.deepEqual(Object.keys(rest).sort(), ["access", "branch", "owner", "repositoryName", "warnings"]);
  });

  it("takes an empty text for none", () => {
    assert.deepEqual(read({ "machine.amiId": "", adoptedKey: "" }).machine, {});
  });

  it("takes a list that the CLI has set as a text", () => {
    assert.deepEqual(read({ "machine.httpPorts": "[80, 443]" }).machine!.httpPorts, [80, 443]);
  });

  it("leaves the other values plain when one of a group is encrypted, and shows none of that group", () => {
    const encrypted = [...SECRETS, `${project}:machine`];
    const args = read(
      { "machine.instanceType": "t3.large", "machine.amiId": "ami-12345678" },
      {},
      REPOSITORY,
      encrypted,
    );
    assert.deepEqual(args.machine, { instanceType: "t3.large", amiId: "ami-12345678" });
    const wrong = {
      "machine.amiId": "hush; allowed: it",
      "machine.sshCidrBlocks": ["hush"],
      "machine.rootVolumeGiB": 4,
    };
    const problems = problemsOf({ ...wrong, "repository.visibility": "open" }, {}, REPOSITORY, encrypted);
    assert.equal(problems.length, 4);
    assert.ok(!problems.join().includes("hush"), problems.join());
    assert.match(problems.join(), /machine\.amiId: got a value that is encrypted; allowed: an image id/);
    assert.match(problems.join(), /repository\.visibility: got "open"/);
    // Of another kind, and under the name of the last version.
    const kinds = problemsOf({ "machine.httpPorts": "hush" }, {}, REPOSITORY, encrypted);
    assert.deepEqual(kinds, [
      "pulumi-nixos:machine.httpPorts: got a value that is encrypted; allowed: a list of whole numbers, [1, 2].",
    ]);
    const former = problemsOf({ amiId: "hush" }, {}, REPOSITORY, [`${project}:amiId`]);
    assert.match(former.join(), /machine\.amiId: got a value that is encrypted/);
  });

  it("notes which groups and single keys hold what is encrypted, former names too, and no others", () => {
    const config = withKeys({}, `${project}:`, {
      "machine.instanceType": "t3.large",
      keyVersions: [1],
      amiId: "ami-12345678",
    });
    const noted = (...keys: string[]) =>
      [
        ...readConfig(
          config,
          `${project}:`,
          keys.map((key) => `${project}:${key}`),
        ).encrypted,
      ].sort();
    assert.deepEqual(noted(), []);
    assert.deepEqual(noted("machine"), ["machine"]);
    assert.deepEqual(noted("keyVersions"), ["keyVersions"]);
    assert.deepEqual(noted("amiId"), ["machine"]);
  });

  it("takes a private key that is empty for none, encrypted or not", () => {
    for (const key of ["adoptedKey", "adoptedHostKey"])
      assert.deepEqual(problemsOf({ [key]: "" }, {}, REPOSITORY, []), []);
  });

  it("refuses a private key in plain text, without showing it", () => {
    const values = { [`${project}:adoptedKey`]: KEY };
    const refused = () => read({}, values, REPOSITORY, []);
    assert.throws(
      refused,
      /adoptedKey: got a value in plain text; .*pulumi config set --secret pulumi-nixos:adoptedKey </,
    );
    assert.throws(refused, (error: Error) => !error.message.includes(KEY.split("\n")[1]!));
  });

  it("refuses a private key in plain text in a group too, without showing it", () => {
    const [message, ...more] = problemsOf({ "machine.adoptedKey": KEY });
    assert.deepEqual(more, []);
    assert.equal(message, "pulumi-nixos:machine.adoptedKey: no such key. Did you mean pulumi-nixos:adoptedKey?");
  });

  it("refuses required checks that the chosen CI does not report, unless nothing is protected", () => {
    assert.match(
      problemsOf({ "repository.requiredChecks": ["lint"] })[0]!,
      /^pulumi-nixos:repository\.requiredChecks: got "lint"; allowed: jobs/,
    );
    assert.match(
      problemsOf({ "repository.checksFrom": "none" })[0]!,
      /^pulumi-nixos:repository\.requiredChecks: .*nobody would report them/,
    );
    assert.deepEqual(problemsOf({ "repository.checksFrom": "none", "repository.branchProtection": "off" }), []);
  });

  for (const [written, nearest] of [
    ["machine.instanceTyp", "machine.instanceType"],
    ["machine.instancetype", "machine.instanceType"],
    // In another group, under the last version's name, in no group, in one that there is not.
    ["machine.visibility", "repository.visibility"],
    ["repository.protection", "repository.branchProtection"],
    ["integration.githubOwnerId", "integration.ownerId"],
    ["branchProtection", "repository.branchProtection"],
    ["instanceTyp", "machine.instanceType"],
    ["keyVersion", "keyVersions"],
  ]) {
    it(`names the nearest key for ${written}`, () => {
      assert.deepEqual(problemsOf({ [written!]: "x" }), [
        `pulumi-nixos:${written}: no such key. Did you mean pulumi-nixos:${nearest}?`,
      ]);
    });
  }

  for (const name of ["constructor", "__proto__", "toString", "machine.constructor"]) {
    it(`knows no key ${name}`, () => {
      assert.match(problemsOf(JSON.parse(`{"${name}":"x"}`) as Record<string, unknown>).join(), /: no such key\./);
    });
  }

  it("names the nearest group", () => {
    assert.deepEqual(problemsOf({}, { [`${project}:machin`]: "{}" }), [
      "pulumi-nixos:machin: no such key. Did you mean pulumi-nixos:machine?",
    ]);
  });

  it("names the way to write a key that --path was left out of", () => {
    const literal = (name: string, value: string) => problemsOf({}, { [`${project}:${name}`]: value });
    assert.deepEqual(literal("machine.instanceType", "t3.small"), [
      "pulumi-nixos:machine.instanceType: --path was left out, so that this is one key with such a name. Set it so: pulumi " +
        "config set --path machine.instanceType t3.small, and take this one away: pulumi config rm machine.instanceType",
    ]);
    assert.match(literal("keyVersions[0]", "2")[0]!, /--path 'keyVersions\[0\]' 2, .* rm 'keyVersions\[0\]'$/);
    assert.match(literal("machine.protection", "it's off")[0]!, /--path repository\.branchProtection 'it'\\''s off',/);
  });

  for (const text of ["[]", "null", "3", "t3.small", '"t3.small"']) {
    it(`refuses ${text} as a group`, () => {
      const [message, ...more] = problemsOf({}, { [`${project}:machine`]: text });
      assert.deepEqual(more, []);
      assert.match(message!, /^pulumi-nixos:machine: got .*; allowed: a group of keys\. .*--path machine\.release …$/);
    });
  }

  it("says what to do instead of a key that was removed", () => {
    const config = { [`${project}:old`]: "x", [`${project}:machine`]: '{"older":1}' };
    const removed = { old: "Write it into nix/machine.nix.", older: "Nothing needs it any more." };
    assert.deepEqual(readConfig(config, `${project}:`, [], removed).problems, [
      "pulumi-nixos:old: was removed. Write it into nix/machine.nix.",
      "pulumi-nixos:machine.older: was removed. Nothing needs it any more.",
    ]);
  });

  it("does not mind the keys of other namespaces", () => {
    assert.deepEqual(problemsOf({}, { "other:instanceTyp": "x", "aws:profile": "work" }), []);
  });

  const quotes = " Write it in quotes in the stack's file, or YAML takes it for something else.";
  // What YAML and the CLI make of such values.
  const mistyped: [string, unknown, string][] = [
    ["machine.release", 26.05, `got 26.05; allowed: a text.${quotes}`],
    ["repository.visibility", true, `got true; allowed: a text.${quotes}`],
    ["integration.deployEnvironment", 1, `got 1; allowed: a text.${quotes}`],
    ["machine.amiId", null, "got null; allowed: a text."],
    ["machine.amiId", ["ami-12345678"], "got a list; allowed: a text."],
    ["machine.rootVolumeGiB", "many", 'got "many"; allowed: a whole number.'],
    ["machine.rootVolumeGiB", 8.5, "got 8.5; allowed: a whole number."],
    [
      "machine.rootVolumeGiB",
      "20",
      'got "20"; allowed: a whole number. Without quotes: pulumi config set --path machine.rootVolumeGiB 20',
    ],
    [
      "integration.ownerId",
      "12",
      'got "12"; allowed: a whole number. Without quotes: pulumi config set --path integration.ownerId 12',
    ],
    ["repository.enforceAdmins", "yes", 'got "yes"; allowed: true or false.'],
    ["repository.enforceAdmins", 1, "got 1; allowed: true or false."],
    ["machine.sshCidrBlocks", "10.0.0.0/8", 'got "10.0.0.0/8"; allowed: a list of texts, ["…", "…"].'],
    ["machine.sshCidrBlocks", { 0: "10.0.0.0/8" }, 'got a group of keys; allowed: a list of texts, ["…", "…"].'],
    ["machine.sshCidrBlocks", null, 'got null; allowed: a list of texts, ["…", "…"].'],
    ["machine.httpPorts", 80, "got 80; allowed: a list of whole numbers, [1, 2]."],
    ["keyVersions", "1", "got 1; allowed: a list of whole numbers, [1, 2]."],
    ["protect", "yes", 'got "yes"; allowed: true or false.'],
  ];
  for (const [path, value, message] of mistyped) {
    it(`refuses ${JSON.stringify(value)} as ${path}`, () => {
      assert.deepEqual(problemsOf({ [path]: value }), [`pulumi-nixos:${path}: ${message}`]);
    });
  }

  // What the checks themselves say is tested with them; here, that each key is checked, under its full name.
  const bad: [string, string, string][] = [
    ["machine.release", "26.5", 'pulumi-nixos:machine.release: got "26.5"; allowed: a NixOS release'],
    ["machine.release", "latest", 'pulumi-nixos:machine.release: got "latest"; allowed: a NixOS release'],
    ["machine.amiId", "ami-1", 'pulumi-nixos:machine.amiId: got "ami-1"; allowed: an image id'],
    [
      "machine.instanceType",
      "t4g.small",
      'pulumi-nixos:machine.instanceType: got "t4g.small", which is an ARM (aarch64) machine',
    ],
    ["machine.rootVolumeGiB", "7", "pulumi-nixos:machine.rootVolumeGiB: got 7; allowed: a whole number of GiB from 8"],
    [
      "machine.sshCidrBlocks",
      '["10.0.0.0/8","10.0.0.0/33"]',
      'pulumi-nixos:machine.sshCidrBlocks[1]: got "10.0.0.0/33"',
    ],
    ["machine.sshCidrBlocks", '["0.0.0.0"]', 'pulumi-nixos:machine.sshCidrBlocks[0]: got "0.0.0.0"'],
    ["machine.sshCidrBlocks", '["::/0"]', 'pulumi-nixos:machine.sshCidrBlocks[0]: got "::/0"'],
    ["machine.sshIpv6CidrBlocks", '["10.0.0.0/8"]', 'pulumi-nixos:machine.sshIpv6CidrBlocks[0]: got "10.0.0.0/8"'],
    ["machine.httpCidrBlocks", "[1]", "pulumi-nixos:machine.httpCidrBlocks[0]: got 1;"],
    ["machine.httpIpv6CidrBlocks", '["::/129"]', 'pulumi-nixos:machine.httpIpv6CidrBlocks[0]: got "::/129"'],
    ["machine.httpPorts", "[0]", "pulumi-nixos:machine.httpPorts[0]: got 0; allowed: a TCP port"],
    ["machine.httpPorts", "[80,70000]", "pulumi-nixos:machine.httpPorts[1]: got 70000; allowed: a TCP port"],
    ["machine.subnetId", "vpc-1", 'pulumi-nixos:machine.subnetId: got "vpc-1"; allowed: a subnet id'],
    ["repository.visibility", "secret", 'pulumi-nixos:repository.visibility: got "secret"; allowed: "private"'],
    ["repository.branchProtection", "none", 'pulumi-nixos:repository.branchProtection: got "none"; allowed: "branch"'],
    ["repository.requiredChecks", "[]", "pulumi-nixos:repository.requiredChecks: got []; allowed: at least one"],
    [
      "repository.requiredChecks",
      '["a","a"]',
      'pulumi-nixos:repository.requiredChecks: got ["a","a"]; allowed: at least one',
    ],
    ["repository.requiredReviews", "7", "pulumi-nixos:repository.requiredReviews: got 7; allowed: a whole number"],
    ["repository.onDestroy", "keep", 'pulumi-nixos:repository.onDestroy: got "keep"; allowed: "archive"'],
    ["repository.githubPlan", "pro", 'pulumi-nixos:repository.githubPlan: got "pro"; allowed: "free"'],
    ["deployment.flake", "path:./nix", 'pulumi-nixos:deployment.flake: got "path:./nix"; allowed: one flake'],
    ["deployment.buildOn", "localhost", 'pulumi-nixos:deployment.buildOn: got "localhost"; allowed: "host"'],
    [
      "deployment.confirmSeconds",
      "1",
      "pulumi-nixos:deployment.confirmSeconds: got 1; allowed: a whole number of seconds",
    ],
  ];
  for (const [key, raw, start] of bad) {
    it(`refuses ${raw} as ${key}`, () => {
      const problems = problemsOf({ [key]: typed(raw) });
      assert.equal(problems.length, 1);
      assert.ok(problems[0]!.startsWith(start), problems[0]);
    });
  }

  for (const region of ["us-east-1", "eu-central-2", "us-gov-west-1", "ap-southeast-4"]) {
    it(`takes the region ${region}`, () => assert.deepEqual(problemsOf({}, { "aws:region": region }), []));
  }

  for (const region of ["", "us-east", "US-EAST-1", "us-east-1a", "frankfurt", "us_east_1", "us-east-1\n"]) {
    it(`refuses the region ${JSON.stringify(region)}`, () => {
      assert.deepEqual(problemsOf({}, { "aws:region": region }), [
        `aws:region: got ${JSON.stringify(region)}; allowed: an AWS region such as "us-east-1".`,
      ]);
    });
  }

  for (const url of [
    "https://github.example.com/api/v3",
    "https://api.acme.ghe.com/",
    "http://[::1",
    "https://api.github.com@evil.example",
  ]) {
    it(`refuses another GitHub server than the one that the machine follows: ${url}`, () => {
      const [problem, ...others] = problemsOf({}, { "github:baseUrl": url });
      assert.match(
        problem ?? "",
        /^github:baseUrl: got ".*"; allowed: https:\/\/api\.github\.com, or nothing\. GitHub Enterprise/,
      );
      assert.deepEqual(others, []);
    });
  }

  it("takes github.com by name, and an emulator", () => {
    for (const url of ["https://api.github.com/", "http://127.0.0.1:8080"])
      assert.deepEqual(problemsOf({}, { "github:baseUrl": url }), []);
  });

  for (const [what, token] of [
    ["an empty text", ""],
    ["a text of several lines", "ghp_abc\nghp_def"],
  ] as const) {
    it(`refuses ${what} as the GitHub token, without showing it`, () => {
      assert.deepEqual(problemsOf({}, { "github:token": token }), [
        `github:token: got ${what}; allowed: one line, github_pat_… or ghp_…. Copy the token again, without anything around it.`,
      ]);
    });
  }

  it("refuses another owner of the GitHub provider than that of nix/repository.json", () => {
    assert.deepEqual(problemsOf({}, { "github:owner": "someone" }), [
      'github:owner: got "someone"; allowed: "octo", the owner in nix/repository.json.',
    ]);
    assert.deepEqual(problemsOf({}, { "github:owner": "octo" }), []);
  });

  it("asks for the owner's number where roles are to trust the jobs of a repository that is made here", () => {
    const roles = { "integration.githubActionsRoles": true };
    assert.deepEqual(problemsOf(roles), [
      "pulumi-nixos:integration.ownerId: got none; allowed: GitHub's number of the owner, as githubActionsRoles is on and the " +
        "repository is created here. `gh api users/<owner> --jq .id` prints it. For a repository made before 15 July 2026, " +
        "opt in to immutable subject claims too.",
    ]);
    // An adopted one may be older.
    assert.deepEqual(problemsOf({ ...roles, "repository.create": false }), []);
    assert.deepEqual(problemsOf({ ...roles, "integration.ownerId": 12 }), []);
  });

  it("reports the problems of configuration, providers and nix/repository.json together", () => {
    const problems = problemsOf(
      { "machine.instanceTyp": "x", "machine.release": "latest", "machine.rootVolumeGiB": "x" },
      { "aws:region": "nowhere", "github:token": "" },
      JSON.stringify({ owner: "", name: "server", branch: "main", access: "ssh" }),
    );
    assert.deepEqual(
      problems.map((problem) => problem.split(":").slice(0, 2).join(":").split(" got")[0]),
      [
        "pulumi-nixos:machine.instanceTyp",
        "pulumi-nixos:machine.rootVolumeGiB",
        "pulumi-nixos:machine.release",
        "aws:region",
        "github:token",
        "nix/repository.json, owner: is empty. Write your GitHub user or organization there; the machine will follow its repository.",
        "nix/repository.json, access:",
      ],
    );
  });

  it("stops where nix/repository.json cannot be read", () => {
    assert.equal(problemsOf({}, {}, "{").length, 1);
    assert.equal(problemsOf({}, {}, "[]").length, 1);
  });
});
