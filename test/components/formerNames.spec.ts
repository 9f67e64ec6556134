/**
 * Arguments under the names of the last version: they do what the new ones do, and a warning says so.
 * Cannot prove: that the engine of a stack sees no change (test/engine/lastVersion.spec.ts does).
 */
import assert from "node:assert/strict";
import { newKey } from "../../cli/rehearse/keys";
import {
  ContinuousDeployment,
  type ContinuousDeploymentArgs,
  NixosDeployment,
  NixosInstance,
  ProtectedRepository,
  type ProtectedRepositoryArgs,
  SshKeyPair,
} from "../../components/index";
import { cloudWithIntegration as cloud } from "../support/cloud";
import { only, refusal, run, type Run } from "../support/mocks";
import { secret } from "../support/wire";

const KEYS = /-----BEGIN.*?END OPENSSH PRIVATE KEY-----|ssh-ed25519 [A-Za-z0-9+/]+|age1\w+/g;

/** What is registered with the providers, without what is random in it. */
function registered({ resources }: Run<unknown>): string[] {
  const custom = resources.filter((resource) => resource.custom);
  return custom.map(({ type, name, inputs }) => JSON.stringify({ type, name, inputs }).replaceAll(KEYS, "KEY")).sort();
}

const server = (args: Partial<ContinuousDeploymentArgs>) => () =>
  new ContinuousDeployment("nixos", { owner: "octo", repositoryName: "server", ...args });
const repository = (args: Partial<ProtectedRepositoryArgs>) => () =>
  new ProtectedRepository("repo", { owner: "octo", name: "server", ...args });

const [key, host] = [newKey().privateKeyOpenssh, newKey()];
const machine = (args: object) => () =>
  new NixosInstance("machine", { keyName: "login", hostKey: host.privateKeyOpenssh, ...args });
const deployment = (args: object) => () =>
  new NixosDeployment("install", {
    host: "192.0.2.7",
    hostPublicKey: host.publicKeyOpenssh,
    instanceId: "i-1",
    ...args,
  });

type Program = () => unknown;
const cases: [name: string, before: Program, now: Program, said: RegExp][] = [
  [
    "ContinuousDeployment",
    server({
      keyGenerations: [2, 1],
      repository: { protection: "ruleset", plan: "paid" },
      integration: { githubActions: true },
    }),
    server({
      keyVersions: [2, 1],
      repository: { branchProtection: "ruleset", githubPlan: "paid" },
      integration: { githubActionsRoles: true },
    }),
    /keyGenerations is now keyVersions, githubActions is now githubActionsRoles\./,
  ],
  [
    "ProtectedRepository",
    repository({ protection: "off", plan: "free", deployKeyGeneration: 2 }),
    repository({ branchProtection: "off", githubPlan: "free", deployKeyVersion: 2 }),
    /protection is now branchProtection, plan is now githubPlan, deployKeyGeneration is now deployKeyVersion\./,
  ],
  [
    "SshKeyPair",
    () => new SshKeyPair("key", { generations: [2, 3] }),
    () => new SshKeyPair("key", { versions: [2, 3] }),
    /generations is now versions\./,
  ],
  ["NixosInstance", machine({ identityKey: key }), machine({ machineKey: key }), /identityKey is now machineKey\./],
  ["NixosDeployment", deployment({ privateKey: key }), deployment({ loginKey: key }), /privateKey is now loginKey\./],
];

describe("arguments under their former names", () => {
  for (const [name, before, now, said] of cases) {
    it(`make the same of ${name}, with a warning`, async () => {
      const [old, today] = [await run(cloud(), before), await run(cloud(), now)];
      assert.deepEqual(registered(old), registered(today));
      const warnings = old.warnings.filter((text) => text.includes("Arguments have other names"));
      assert.ok(
        warnings.some((text) => said.test(text)),
        warnings.join(),
      );
      assert.ok(!today.warnings.some((text) => text.includes("Arguments have other names")));
    });
  }

  const both: [string, Program, string][] = [
    ["keyGenerations", server({ keyGenerations: [1], keyVersions: [1] }), "keyGenerations: keyVersions"],
    [
      "protection",
      server({ repository: { protection: "off", branchProtection: "off" } }),
      "repository.protection: branchProtection",
    ],
    [
      "githubActions",
      server({ integration: { githubActions: true, githubActionsRoles: true } }),
      "integration.githubActions: githubActionsRoles",
    ],
    ["plan", repository({ plan: "paid", githubPlan: "paid" }), "plan: githubPlan"],
    ["generations", () => new SshKeyPair("key", { generations: [1], versions: [1] }), "generations: versions"],
    ["identityKey", machine({ identityKey: key, machineKey: key }), "identityKey: machineKey"],
    ["privateKey", deployment({ privateKey: key, loginKey: key }), "privateKey: loginKey"],
  ];
  for (const [name, program, start] of both) {
    it(`are refused beside the new one: ${name}`, async () => {
      const { error, resources } = await refusal(cloud(), program);
      assert.ok(error.message.includes(`has 1 problem:\n  - ${start} is given too`), error.message);
      assert.deepEqual(
        resources.filter(({ custom }) => custom),
        [],
      );
    });
  }

  it("keep a key secret in the component's own inputs, under either name", async () => {
    const cases: [type: string, name: string, program: Program][] = [
      ["NixosInstance", "identityKey", machine({ identityKey: key })],
      ["NixosInstance", "machineKey", machine({ machineKey: key })],
      ["NixosDeployment", "privateKey", deployment({ privateKey: key })],
      ["NixosDeployment", "loginKey", deployment({ loginKey: key })],
    ];
    for (const [type, name, program] of cases) {
      const { resources } = await run(cloud(), program);
      assert.deepEqual(only(resources, `nixos:index:${type}`).inputs[name], secret(key));
    }
  });

  const missing: [string, Program][] = [
    ["machineKey", machine({})],
    ["loginKey", deployment({})],
  ];
  for (const [name, program] of missing) {
    it(`leave a key required: ${name}`, async () => {
      const { error, resources } = await refusal(cloud(), program);
      assert.ok(error.message.includes(`has 1 problem:\n  - ${name}: got nothing; allowed: an ed25519`), error.message);
      assert.deepEqual(
        resources.filter(({ custom }) => custom),
        [],
      );
    });
  }

  it("are checked like the new ones, under the name of today", async () => {
    const { error } = await refusal(cloud(), server({ keyGenerations: [1, 1], repository: { plan: "pro" } }));
    assert.match(error.message, /keyVersions: got \[1,1\]/);
    assert.match(error.message, /repository\.githubPlan: got "pro"/);
  });
});
