/**
 * ContinuousDeployment against mocks: that the parts get what the others made, and nothing else.
 * Cannot prove: that the parts do their work together (the rehearsal walks the whole life of a stack).
 */
import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import { ContinuousDeployment, type ContinuousDeploymentArgs } from "../../components/index";
import { ageRecipient } from "../../components/keys/age";
import { renderUserData } from "../../components/keys/userData";
import { awaited, awaitedFacts } from "../support/awaited";
import { cloud, DERIVATION, SYSTEM } from "../support/cloud";
import { cloudResources, only, plainTextsOf, refusal, run, table, type Values } from "../support/mocks";
import { secret } from "../support/wire";

const base: ContinuousDeploymentArgs = { owner: "octo", repositoryName: "server", repository: { githubPlan: "paid" } };

const INSTANCE = "aws:ec2/instance:Instance";
const COMMAND = "command:local:Command";
const DEPLOY_KEY = "github:index/repositoryDeployKey:RepositoryDeployKey";
const TLS_KEY = "tls:index/privateKey:PrivateKey";

async function server(args: Partial<ContinuousDeploymentArgs> = {}) {
  const answers = cloud();
  const outcome = await run(answers, () => new ContinuousDeployment("nixos", { ...base, ...args }));
  const key = (name: string) => answers.keys.get(name)!;
  const environment = only(outcome.resources, COMMAND).inputs["environment"] as Values;
  return { ...outcome, key, environment };
}

describe("ContinuousDeployment", () => {
  it("registers its four parts and a host key as its children, and nothing else of its own", async () => {
    const { resources } = await server();
    assert.deepEqual(
      table(resources).filter((row) => / in (nixos|-)$/.test(row) && !row.startsWith("aws:")),
      [
        "nixos:index:ContinuousDeployment nixos in -",
        "nixos:index:NixosDeployment nixos-deployment in nixos",
        "nixos:index:NixosInstance nixos in nixos",
        "nixos:index:ProtectedRepository nixos-repository in nixos",
        "nixos:index:SshKeyPair nixos-key in nixos",
        `${TLS_KEY} nixos-host-key in nixos`,
      ],
    );
  });

  it("gives the machine the login key and the host key that were made for it", async () => {
    const { resources, key } = await server();
    assert.deepEqual(
      only(resources, INSTANCE).inputs["userData"],
      secret(
        renderUserData({
          machineKey: key("nixos-key").privateKeyOpenssh,
          hostKey: key("nixos-host-key").privateKeyOpenssh,
        }),
      ),
    );
    assert.equal(only(resources, INSTANCE).inputs["keyName"], "nixos-key-key-pair-1a2b3c4");
  });

  it("writes an IPv6 address in brackets in the address of the page, and without in the command", async () => {
    const answers = cloud();
    answers.resources[INSTANCE] = () => ({ ipv6Addresses: ["2001:db8::7"] });
    const machine = { ipv6Only: true, subnetId: "subnet-12345678" };
    const { result } = await run(answers, () => new ContinuousDeployment("nixos", { ...base, machine }));
    assert.equal(await awaited(result.url), "http://[2001:db8::7]");
    assert.equal(await awaited(result.sshCommand), "ssh -i id_ed25519 root@2001:db8::7");
  });

  it("lets the same key read the repository", async () => {
    const { resources, key } = await server();
    assert.deepEqual(only(resources, DEPLOY_KEY).inputs, {
      repository: "server",
      title: "nixos (read-only)",
      key: key("nixos-key").publicKeyOpenssh.trim(),
      readOnly: true,
    });
  });

  it("makes no deploy key where a token gives access", async () => {
    const { resources, result } = await server({ access: "token" });
    assert.ok(!resources.some(({ type }) => type === DEPLOY_KEY));
    assert.equal(await awaited(result.upgradeFlake), "github:octo/server/heads/main?dir=nix#default");
  });

  it("deploys to the machine's Elastic IP, with its host key pinned and its own key", async () => {
    const { environment, key } = await server();
    assert.equal(environment["DEPLOY_HOST"], "192.0.2.7");
    assert.equal(environment["DEPLOY_HOST_KEY"], key("nixos-host-key").publicKeyOpenssh.trim());
    assert.deepEqual(environment["DEPLOY_PRIVATE_KEY"], secret(key("nixos-key").privateKeyOpenssh));
    assert.equal(environment["DEPLOY_MACHINE_PUBLIC_KEY"], key("nixos-key").publicKeyOpenssh.trim());
    assert.equal(environment["DEPLOY_REPOSITORY"], "octo/server");
  });

  it("deploys again for another machine", async () => {
    const { resources } = await server();
    assert.equal((only(resources, COMMAND).inputs["triggers"] as unknown[])[1], "nixos-id");
  });

  it("lets machine and deployment depend on nothing of the repository", async () => {
    const { resources } = await server();
    for (const type of [INSTANCE, COMMAND]) {
      const names = only(resources, type).dependencies;
      assert.ok(names.length > 0);
      assert.deepEqual(
        names.filter((name) => name.startsWith("nixos-repository")),
        [],
      );
    }
  });

  it("installs all the same when GitHub refuses protection and deploy key", async () => {
    const answers = cloud();
    const refuse = () => {
      throw new Error("403 Upgrade to GitHub Pro or make this repository public");
    };
    answers.resources["github:index/branchProtection:BranchProtection"] = refuse;
    answers.resources[DEPLOY_KEY] = refuse;
    const { error, resources } = await refusal(answers, () => new ContinuousDeployment("nixos", base));
    assert.match(error.message, /403 Upgrade to GitHub Pro/);
    assert.ok(cloudResources(resources).includes(`${COMMAND} nixos-deployment`));
  });

  it("hands the choices of a stack on to the parts", async () => {
    const { resources, environment } = await server({
      branch: "live",
      machine: { instanceType: "m7i.large" },
      repository: { githubPlan: "paid", requiredChecks: ["build"] },
      deployment: { confirmSeconds: 90 },
    });
    assert.equal(only(resources, INSTANCE).inputs["instanceType"], "m7i.large");
    const rule = only(resources, "github:index/branchProtection:BranchProtection").inputs;
    assert.equal(rule["pattern"], "live");
    assert.deepEqual(rule["requiredStatusChecks"], [{ strict: true, contexts: ["build"] }]);
    assert.equal(environment["DEPLOY_CONFIRM_SECONDS"], "90");
  });

  it("registers exactly its outputs, with only the private keys secret", async () => {
    const { resources, key } = await server();
    const { privateKeyOpenssh, publicKeyOpenssh } = key("nixos-key");
    assert.deepEqual(only(resources, "nixos:index:ContinuousDeployment").outputs, {
      instanceId: "nixos-id",
      publicIp: "192.0.2.7",
      publicDns: "ec2-192-0-2-7.compute-1.amazonaws.com",
      url: "http://ec2-192-0-2-7.compute-1.amazonaws.com",
      sshCommand: "ssh -i id_ed25519 root@ec2-192-0-2-7.compute-1.amazonaws.com",
      hostPublicKey: key("nixos-host-key").publicKeyOpenssh.trim(),
      loginKey: secret(privateKeyOpenssh),
      loginPublicKeys: [publicKeyOpenssh.trim()],
      machineKey: secret(privateKeyOpenssh),
      ageRecipient: ageRecipient(publicKeyOpenssh),
      ageRecipients: [ageRecipient(publicKeyOpenssh)],
      deployedKeyVersions: [1],
      repositoryUrl: "https://github.com/octo/server",
      upgradeFlake: "git+ssh://git@github.com/octo/server?ref=main&dir=nix#default",
      derivation: DERIVATION,
      systemPath: SYSTEM,
      cacheSubstituter: "",
      cachePublicKey: "",
      // The names of the last version.
      privateKey: secret(privateKeyOpenssh),
      identityKey: secret(privateKeyOpenssh),
      deployedGenerations: [1],
    });
  });

  it("shows no private key in any plain text", async () => {
    for (const separateMachineKey of [false, true]) {
      const texts = plainTextsOf(await server({ separateMachineKey, keyVersions: [1, 2] }));
      assert.ok(texts.includes("192.0.2.7"));
      assert.deepEqual(
        texts.filter((text) => text.includes("PRIVATE KEY")),
        [],
      );
    }
  });

  describe("with a key of the machine's own", () => {
    it("keeps the login key out of user data", async () => {
      const { resources, key } = await server({ separateMachineKey: true });
      const { value } = only(resources, INSTANCE).inputs["userData"] as { value: string };
      assert.ok(value.includes(key("nixos-machine-key").privateKeyOpenssh));
      assert.ok(!value.includes(key("nixos-key").privateKeyOpenssh.split("\n")[2]!));
    });

    it("logs in with the login key, and expects the machine's on the machine", async () => {
      const { environment, key } = await server({ separateMachineKey: true });
      const machineKey = key("nixos-machine-key").publicKeyOpenssh;
      assert.deepEqual(environment["DEPLOY_PRIVATE_KEY"], secret(key("nixos-key").privateKeyOpenssh));
      assert.equal(environment["DEPLOY_MACHINE_PUBLIC_KEY"], machineKey.trim());
      assert.equal(environment["DEPLOY_AGE_RECIPIENT"], ageRecipient(machineKey));
    });

    it("reads the repository and its secrets with the machine's key", async () => {
      const { resources, result, key } = await server({ separateMachineKey: true });
      const machineKey = key("nixos-machine-key");
      assert.equal(only(resources, DEPLOY_KEY).inputs["key"], machineKey.publicKeyOpenssh.trim());
      assert.equal(await awaited(result.ageRecipient), ageRecipient(machineKey.publicKeyOpenssh));
      const identity = await awaitedFacts(result.machineKey);
      assert.deepEqual(
        { value: identity.value, secret: identity.secret },
        { value: machineKey.privateKeyOpenssh, secret: true },
      );
    });

    it("makes one key more", async () => {
      const keys = (resources: string[]) => resources.filter((row) => row.startsWith(TLS_KEY));
      assert.deepEqual(keys(table((await server({ separateMachineKey: true })).resources)), [
        `${TLS_KEY} nixos-host-key in nixos`,
        `${TLS_KEY} nixos-key in nixos-key`,
        `${TLS_KEY} nixos-machine-key in nixos`,
      ]);
    });
  });

  describe("during a rotation", () => {
    it("makes the new key beside the one in use", async () => {
      const { result, key } = await server({ keyVersions: [1, 2] });
      const both = [key("nixos-key").publicKeyOpenssh.trim(), key("nixos-key-2").publicKeyOpenssh.trim()];
      assert.deepEqual(await awaited(result.loginPublicKeys), both);
      assert.deepEqual(await awaited(result.ageRecipients), both.map(ageRecipient));
      assert.equal(await awaited(result.loginKey), key("nixos-key").privateKeyOpenssh);
    });

    it("uses the new key when it comes first", async () => {
      const { result, environment, key } = await server({ keyVersions: [2, 1] });
      assert.equal(await awaited(result.loginKey), key("nixos-key-2").privateKeyOpenssh);
      assert.deepEqual(environment["DEPLOY_PRIVATE_KEY"], secret(key("nixos-key-2").privateKeyOpenssh));
    });
  });

  it("lets two of them live in one stack", async () => {
    const { resources } = await run(cloud(), () => [
      new ContinuousDeployment("a", base),
      new ContinuousDeployment("b", { ...base, repositoryName: "other" }),
    ]);
    const perServer = (await server()).resources.length;
    // A second resource of the same type, name and parents fails the run.
    assert.equal(resources.length, 2 * perServer);
    const title = (name: string) => only(resources, DEPLOY_KEY, name).inputs["title"] as string;
    assert.notEqual(title("a-repository-deploy-key"), title("b-repository-deploy-key"));
  });

  const bad: [string, Partial<ContinuousDeploymentArgs>, string][] = [
    ["an owner with illegal characters", { owner: "oc_to" }, 'owner: got "oc_to"'],
    ["a repository with illegal characters", { repositoryName: "ser ver" }, 'repositoryName: got "ser ver"'],
    ["a branch with a wildcard", { branch: "*" }, 'branch: got "*"'],
    ["another kind of access", { access: "ssh" }, 'access: got "ssh"'],
    ["three versions of keys", { keyVersions: [1, 2, 3] }, "keyVersions: got [1,2,3]"],
    ["an ARM machine", { machine: { instanceType: "t4g.small" } }, 'machine.instanceType: got "t4g.small"'],
    ["a bad network", { machine: { sshCidrBlocks: ["0.0.0.0"] } }, 'machine.sshCidrBlocks[0]: got "0.0.0.0"'],
    ["no required checks", { repository: { requiredChecks: [] } }, "repository.requiredChecks: got []"],
    [
      "a private repository on a free plan",
      { repository: { githubPlan: "free" } },
      "repository.githubPlan: GitHub refuses",
    ],
    ["a flake without #", { deployment: { flake: "path:./nix" } }, 'deployment.flake: got "path:./nix"'],
  ];
  for (const [what, args, message] of bad) {
    it(`refuses ${what} before any cloud call`, async () => {
      const program = () => new ContinuousDeployment("nixos", { ...base, ...args });
      const { error, resources, invokes } = await refusal(cloud(), program);
      assert.ok(pulumi.ResourceError.isInstance(error));
      assert.ok(error.message.startsWith(`ContinuousDeployment "nixos" has 1 problem:\n  - ${message}`), error.message);
      assert.deepEqual(cloudResources(resources), []);
      assert.deepEqual(invokes, []);
    });
  }

  it("reports the problems of all parts at once", async () => {
    const program = () =>
      new ContinuousDeployment("nixos", {
        owner: "oc_to",
        repositoryName: "server",
        keyVersions: [],
        machine: { release: "latest" },
        repository: { requiredReviews: 9 },
        deployment: { buildOn: "localhost" },
      });
    const { error } = await refusal(cloud(), program);
    assert.deepEqual(error.message.match(/^ {2}- [^:]+/gm), [
      "  - owner",
      "  - keyVersions",
      "  - machine.release",
      "  - repository.requiredReviews",
      "  - deployment.buildOn",
    ]);
  });
});
