/**
 * stackConfig.ts: a stack's configuration becomes the arguments of ContinuousDeployment, or one error with every problem.
 * Cannot prove: in which form the engine hands over a value (texts as they are, everything else as JSON: measured).
 */
import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import { CONFIG_KEYS, stackConfig } from "../../program/stackConfig";
import { awaitedFacts } from "../support/awaited";
import { newKey } from "../../cli/rehearse/keys";
import { Secret, secret } from "../support/wire";

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

function read(
  own: Record<string, string> = {},
  others: Record<string, string> = {},
  repository = REPOSITORY,
  encrypted = SECRETS,
) {
  const config: Record<string, string> = { ...others };
  for (const [key, value] of Object.entries(own)) config[`${project}:${key}`] = value;
  return stackConfig(config, project, repository, [WORKFLOW], encrypted);
}

function problemsOf(
  own: Record<string, string>,
  others: Record<string, string> = {},
  repository = REPOSITORY,
): string[] {
  try {
    read(own, others, repository);
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

  it("leaves what is not configured to the components", () => {
    const given = Object.values(read()).filter((value) => typeof value === "object" && value !== null);
    assert.equal(given.length, 4);
    for (const settings of given) {
      assert.deepEqual(new Set(Object.values(settings as object)), new Set([undefined]));
    }
  });

  it("takes an empty text for none, as Pulumi.yaml does", () => {
    assert.equal(read({ amiId: "", subnetId: "" }).machine!.amiId, undefined);
  });

  // One value of every key, and where it arrives.
  const arrives: Record<keyof typeof CONFIG_KEYS, [string, string, unknown]> = {
    release: ["25.11", "machine.release", "25.11"],
    amiId: ["ami-12345678", "machine.amiId", "ami-12345678"],
    instanceType: ["m7i.large", "machine.instanceType", "m7i.large"],
    rootVolumeGiB: ["40", "machine.rootVolumeGiB", 40],
    sshCidrBlocks: ['["10.0.0.0/8"]', "machine.sshCidrBlocks", ["10.0.0.0/8"]],
    sshIpv6CidrBlocks: ["[]", "machine.sshIpv6CidrBlocks", []],
    httpCidrBlocks: ['["192.0.2.0/24"]', "machine.httpCidrBlocks", ["192.0.2.0/24"]],
    httpIpv6CidrBlocks: ['["2001:db8::/32"]', "machine.httpIpv6CidrBlocks", ["2001:db8::/32"]],
    httpPorts: ["[80,443]", "machine.httpPorts", [80, 443]],
    subnetId: ["subnet-12345678", "machine.subnetId", "subnet-12345678"],
    extraRules: ['["udp/51820 0.0.0.0/0"]', "machine.extraRules", ["udp/51820 0.0.0.0/0"]],
    allowedRuleIds: ['["sgr-12345678"]', "machine.allowedRuleIds", ["sgr-12345678"]],
    exclusiveRules: ["true", "machine.exclusiveRules", true],
    createRepository: ["false", "repository.create", false],
    visibility: ["public", "repository.visibility", "public"],
    protection: ["ruleset", "repository.protection", "ruleset"],
    requiredChecks: ['["build"]', "repository.requiredChecks", ["build"]],
    requiredReviews: ["2", "repository.requiredReviews", 2],
    enforceAdmins: ["true", "repository.enforceAdmins", true],
    onDestroy: ["retain", "repository.onDestroy", "retain"],
    plan: ["paid", "repository.plan", "paid"],
    flake: ["path:./nix#web", "deployment.flake", "path:./nix#web"],
    buildOn: ["local", "deployment.buildOn", "local"],
    substitute: ["false", "deployment.substitute", false],
    evaluate: ["false", "deployment.evaluate", false],
    confirmSeconds: ["90", "deployment.confirmSeconds", 90],
    allowDirty: ["true", "deployment.allowDirty", true],
    keyGenerations: ["[1,2]", "keyGenerations", [1, 2]],
    separateMachineKey: ["true", "separateMachineKey", true],
    adoptedKey: [KEY, "adoptedKey", secret(KEY)],
    adoptedHostKey: [KEY, "adoptedHostKey", secret(KEY)],
    protect: ["true", "protect", true],
    ci: ["other", "repository.requiredChecks", undefined],
    cache: ["true", "integration.cache", true],
    githubActions: ["true", "integration.githubActions", true],
    githubOwnerId: ["12", "integration.ownerId", 12],
    oidcProviderArn: [
      "arn:aws:iam::123456789012:oidc-provider/example",
      "integration.oidcProviderArn",
      "arn:aws:iam::123456789012:oidc-provider/example",
    ],
    previews: ["cloud", "integration.previews", "cloud"],
    environments: ["true", "integration.environments", true],
    deployReviewers: ["[12]", "integration.deployReviewers", [12]],
    deployInstanceTypes: ['["t3.medium"]', "integration.deployInstanceTypes", ["t3.medium"]],
    deployEnvironment: ["production", "integration.deployEnvironment", "production"],
    stateBucketArn: ["arn:aws:s3:::state", "integration.stateBucketArn", "arn:aws:s3:::state"],
    stateKeyArn: [
      "arn:aws:kms:us-east-1:123456789012:key/1a2b",
      "integration.stateKeyArn",
      "arn:aws:kms:us-east-1:123456789012:key/1a2b",
    ],
  };

  for (const [key, [raw, place, expected]] of Object.entries(arrives)) {
    it(`hands ${key} on as ${place}`, async () => {
      const value = place.split(".").reduce<unknown>(
        (part, name) => (part as Record<string, unknown>)[name],
        // With roles for GitHub Actions the number is needed.
        read({ ...(key === "githubActions" ? { githubOwnerId: "12" } : {}), [key]: raw }),
      );
      if (!(expected instanceof Secret)) return assert.deepEqual(value, expected);
      const { value: known, secret } = await awaitedFacts(value as pulumi.Output<unknown>);
      assert.deepEqual([known, secret], [expected.value, true]);
    });
  }

  it("refuses a private key in plain text, without showing it", () => {
    const values = { [`${project}:adoptedKey`]: KEY };
    const refused = () => read({}, values, REPOSITORY, []);
    assert.throws(
      refused,
      /adoptedKey: got a value in plain text; .*pulumi config set --secret pulumi-nixos:adoptedKey </,
    );
    assert.throws(refused, (error: Error) => !error.message.includes(KEY.split("\n")[1]!));
  });

  it("refuses required checks that the chosen CI does not report, unless nothing is protected", () => {
    assert.match(
      problemsOf({ requiredChecks: '["lint"]' })[0]!,
      /^pulumi-nixos:requiredChecks: got "lint"; allowed: jobs/,
    );
    assert.match(problemsOf({ ci: "none" })[0]!, /^pulumi-nixos:requiredChecks: .*nobody would report them/);
    assert.deepEqual(problemsOf({ ci: "none", protection: "off" }), []);
  });

  it("takes 0 for no number of the owner, as Pulumi.yaml does", () => {
    assert.equal(read({ githubOwnerId: "0" }).integration!.ownerId, undefined);
  });

  it("has a place for every key that it knows", () => {
    assert.deepEqual(Object.keys(arrives).sort(), Object.keys(CONFIG_KEYS).sort());
  });

  it("names the nearest key for one that it does not know", () => {
    assert.deepEqual(problemsOf({ instanceTyp: "t3.small" }), [
      "pulumi-nixos:instanceTyp: no such key. Did you mean pulumi-nixos:instanceType?",
    ]);
  });

  it("does not mind the keys of other namespaces", () => {
    assert.deepEqual(problemsOf({}, { "other:instanceTyp": "x", "aws:profile": "work" }), []);
  });

  const mistyped: [string, string, string][] = [
    ["rootVolumeGiB", "many", "integer"],
    ["rootVolumeGiB", "8.5", "integer"],
    ["rootVolumeGiB", '"20"', "integer"],
    ["enforceAdmins", "yes", "boolean"],
    ["enforceAdmins", "1", "boolean"],
    ["sshCidrBlocks", "10.0.0.0/8", "array"],
    ["sshCidrBlocks", '{"0":"10.0.0.0/8"}', "array"],
    ["httpPorts", "80", "array"],
  ];
  for (const [key, raw, kind] of mistyped) {
    it(`refuses ${raw} as ${key}, which is of type ${kind}`, () => {
      assert.deepEqual(problemsOf({ [key]: raw }), [
        `pulumi-nixos:${key}: got ${JSON.stringify(raw)}; allowed: a value of type ${kind}.`,
      ]);
    });
  }

  // What the checks themselves say is tested with them; here, that each key is checked, under its full name.
  const bad: [string, string, string][] = [
    ["release", "26.5", 'pulumi-nixos:release: got "26.5"; allowed: a NixOS release'],
    ["release", "latest", 'pulumi-nixos:release: got "latest"; allowed: a NixOS release'],
    ["amiId", "ami-1", 'pulumi-nixos:amiId: got "ami-1"; allowed: an image id'],
    ["instanceType", "t4g.small", 'pulumi-nixos:instanceType: got "t4g.small", which is an ARM (aarch64) machine'],
    ["rootVolumeGiB", "7", "pulumi-nixos:rootVolumeGiB: got 7; allowed: a whole number of GiB from 8"],
    ["sshCidrBlocks", '["10.0.0.0/8","10.0.0.0/33"]', 'pulumi-nixos:sshCidrBlocks[1]: got "10.0.0.0/33"'],
    ["sshCidrBlocks", '["0.0.0.0"]', 'pulumi-nixos:sshCidrBlocks[0]: got "0.0.0.0"'],
    ["sshCidrBlocks", '["::/0"]', 'pulumi-nixos:sshCidrBlocks[0]: got "::/0"'],
    ["sshIpv6CidrBlocks", '["10.0.0.0/8"]', 'pulumi-nixos:sshIpv6CidrBlocks[0]: got "10.0.0.0/8"'],
    ["httpCidrBlocks", "[1]", "pulumi-nixos:httpCidrBlocks[0]: got 1;"],
    ["httpIpv6CidrBlocks", '["::/129"]', 'pulumi-nixos:httpIpv6CidrBlocks[0]: got "::/129"'],
    ["httpPorts", "[0]", "pulumi-nixos:httpPorts[0]: got 0; allowed: a TCP port"],
    ["httpPorts", "[80,70000]", "pulumi-nixos:httpPorts[1]: got 70000; allowed: a TCP port"],
    ["subnetId", "vpc-1", 'pulumi-nixos:subnetId: got "vpc-1"; allowed: a subnet id'],
    ["visibility", "secret", 'pulumi-nixos:visibility: got "secret"; allowed: "private"'],
    ["protection", "none", 'pulumi-nixos:protection: got "none"; allowed: "branch"'],
    ["requiredChecks", "[]", "pulumi-nixos:requiredChecks: got []; allowed: at least one"],
    ["requiredChecks", '["a","a"]', 'pulumi-nixos:requiredChecks: got ["a","a"]; allowed: at least one'],
    ["requiredReviews", "7", "pulumi-nixos:requiredReviews: got 7; allowed: a whole number"],
    ["onDestroy", "keep", 'pulumi-nixos:onDestroy: got "keep"; allowed: "archive"'],
    ["plan", "pro", 'pulumi-nixos:plan: got "pro"; allowed: "free"'],
    ["flake", "path:./nix", 'pulumi-nixos:flake: got "path:./nix"; allowed: one flake'],
    ["buildOn", "localhost", 'pulumi-nixos:buildOn: got "localhost"; allowed: "host"'],
    ["confirmSeconds", "1", "pulumi-nixos:confirmSeconds: got 1; allowed: a whole number of seconds"],
  ];
  for (const [key, raw, start] of bad) {
    it(`refuses ${raw} as ${key}`, () => {
      const problems = problemsOf({ [key]: raw });
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
    assert.deepEqual(problemsOf({ githubActions: "true", githubOwnerId: "0" }), [
      "pulumi-nixos:githubOwnerId: got 0; allowed: GitHub's number of the owner, as githubActions is on and the repository " +
        "is created here. `gh api users/<owner> --jq .id` prints it. For a repository made before 15 July 2026, opt in to " +
        "immutable subject claims too.",
    ]);
    // An adopted one may be older.
    assert.deepEqual(problemsOf({ githubActions: "true", createRepository: "false" }), []);
    assert.deepEqual(problemsOf({ githubActions: "true", githubOwnerId: "12" }), []);
  });

  it("reports the problems of configuration, providers and nix/repository.json together", () => {
    const problems = problemsOf(
      { instanceTyp: "x", release: "latest", rootVolumeGiB: "x" },
      { "aws:region": "nowhere", "github:token": "" },
      JSON.stringify({ owner: "", name: "server", branch: "main", access: "ssh" }),
    );
    assert.deepEqual(
      problems.map((problem) => problem.split(":").slice(0, 2).join(":").split(" got")[0]),
      [
        "pulumi-nixos:instanceTyp",
        "pulumi-nixos:release",
        "pulumi-nixos:rootVolumeGiB",
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
