/**
 * Keys with versions, and the machine's own key, against mocks: which keys are made and who is given which.
 * Cannot prove: that the engine keeps both keys over a swap (their names say so), or that a machine gets a new key.
 */
import assert from "node:assert/strict";
import { ContinuousDeployment, SshKeyPair } from "../../components/index";
import { ageRecipient } from "../../components/keys/age";
import { keyVersionNumbers } from "../../components/keys/keyVersions";
import { awaited, awaitedFacts } from "../support/awaited";
import { cloud } from "../support/cloud";
import { cloudResources, only, plainTextsOf, refusal, type Registered, run, type Values } from "../support/mocks";
import { secret } from "../support/wire";

const KEY = "tls:index/privateKey:PrivateKey";
const repository = { owner: "octo", repositoryName: "server", repository: { githubPlan: "paid" } };

/** The names of the keys that a list of versions makes. */
async function keyNames(versions: number[]): Promise<string[]> {
  const { resources } = await run(cloud(), () => new SshKeyPair("key", { versions }));
  return resources.filter(({ type }) => type === KEY).map(({ name }) => name);
}

/** What the deployment program is told. */
function environmentOf(resources: Registered[]): Values {
  return only(resources, "command:local:Command").inputs["environment"] as Values;
}

describe("versions of a key", () => {
  it("are named after their number, not after their place", async () => {
    assert.deepEqual(await keyNames([1]), ["key"]);
    assert.deepEqual(await keyNames([1, 2]), ["key", "key-2"]);
    assert.deepEqual(await keyNames([2, 1]), ["key-2", "key"]);
    assert.deepEqual(await keyNames([2]), ["key-2"]);
  });

  it("hand on the first as the one in use", async () => {
    const answers = cloud();
    const { result, resources } = await run(answers, () => new SshKeyPair("key", { versions: [2, 1] }));
    const inUse = answers.keys.get("key-2")!;
    assert.equal(await awaited(result.publicKeyOpenssh), inUse.publicKeyOpenssh.trim());
    assert.equal(await awaited(result.ageRecipient), ageRecipient(inUse.publicKeyOpenssh));
    assert.deepEqual(await awaitedFacts(result.privateKeyOpenssh).then(({ value, secret }) => ({ value, secret })), {
      value: inUse.privateKeyOpenssh,
      secret: true,
    });
    assert.equal(only(resources, "aws:ec2/keyPair:KeyPair").inputs["publicKey"], inUse.publicKeyOpenssh.trim());
  });

  it("hand on all public halves and recipients in the order of the list", async () => {
    const answers = cloud();
    const { result } = await run(answers, () => new SshKeyPair("key", { versions: [2, 1] }));
    const keys = ["key-2", "key"].map((name) => answers.keys.get(name)!.publicKeyOpenssh.trim());
    assert.deepEqual(await awaited(result.publicKeysOpenssh), keys);
    assert.deepEqual(await awaited(result.ageRecipients), keys.map(ageRecipient));
  });

  for (const value of [[], [1, 2, 3], [1, 1], [0], [1.5], ["1"], 1]) {
    it(`are refused as ${JSON.stringify(value)}`, () => {
      const [message, ...more] = keyVersionNumbers("versions", value as number[]);
      assert.deepEqual(more, []);
      assert.ok(
        message!.startsWith(`versions: got ${JSON.stringify(value)}; allowed: one or two different whole`),
        message,
      );
    });
  }

  it("are refused before any key is made", async () => {
    const { error, resources } = await refusal(cloud(), () => new SshKeyPair("key", { versions: [1, 1] }));
    assert.match(error.message, /SshKeyPair "key" has 1 problem:\n {2}- versions: got \[1,1\]/);
    assert.deepEqual(cloudResources(resources), []);
  });

  it("are refused for the whole before any part is made", async () => {
    const program = () => new ContinuousDeployment("nixos", { ...repository, keyVersions: [3, 3] });
    const { error, resources } = await refusal(cloud(), program);
    assert.match(error.message, /keyVersions: got \[3,3\]/);
    assert.deepEqual(cloudResources(resources), []);
  });

  it("reach the whole: the key in use is the machine's, the deploy key and the login", async () => {
    const answers = cloud();
    const program = () => new ContinuousDeployment("nixos", { ...repository, keyVersions: [2, 1] });
    const { result, resources } = await run(answers, program);
    const inUse = answers.keys.get("nixos-key-2")!;
    assert.deepEqual(
      only(resources, "nixos:index:NixosInstance").inputs["machineKey"],
      secret(inUse.privateKeyOpenssh),
    );
    const deployKey = only(resources, "github:index/repositoryDeployKey:RepositoryDeployKey");
    assert.equal(deployKey.inputs["key"], inUse.publicKeyOpenssh.trim());
    const environment = environmentOf(resources);
    assert.deepEqual(environment["DEPLOY_PRIVATE_KEY"], secret(inUse.privateKeyOpenssh));
    assert.equal(environment["DEPLOY_AGE_RECIPIENT"], ageRecipient(inUse.publicKeyOpenssh));
    assert.deepEqual(await awaited(result.deployedKeyVersions), [2, 1]);
  });

  it("replace the EC2 key pair and never the machine", async () => {
    const { resources } = await run(cloud(), () => new ContinuousDeployment("nixos", repository));
    assert.ok(only(resources, "aws:ec2/instance:Instance").options.ignoreChanges!.includes("keyName"));
  });
});

describe("a separate machine key", () => {
  const separate = () => new ContinuousDeployment("nixos", { ...repository, separateMachineKey: true });

  it("is one more key and no other resource", async () => {
    const listOf = async (program: () => unknown) => cloudResources((await run(cloud(), program)).resources).sort();
    const one = await listOf(() => new ContinuousDeployment("nixos", repository));
    assert.deepEqual(await listOf(separate), [...one, `${KEY} nixos-machine-key`].sort());
  });

  it("is what user data holds; the login key is not in it", async () => {
    const answers = cloud();
    const { resources } = await run(answers, separate);
    const { value: userData } = only(resources, "aws:ec2/instance:Instance").inputs["userData"] as { value: string };
    const [login, machine] = ["nixos-key", "nixos-machine-key"].map(
      (name) => answers.keys.get(name)!.privateKeyOpenssh,
    );
    assert.ok(userData.includes(machine!.trim()));
    assert.ok(!userData.includes(login!.trim().split("\n")[3]!));
  });

  it("reads the repository and opens the secrets", async () => {
    const answers = cloud();
    const { result, resources } = await run(answers, separate);
    const { publicKeyOpenssh, privateKeyOpenssh } = answers.keys.get("nixos-machine-key")!;
    const deployKey = only(resources, "github:index/repositoryDeployKey:RepositoryDeployKey");
    assert.equal(deployKey.inputs["key"], publicKeyOpenssh.trim());
    assert.equal(await awaited(result.ageRecipient), ageRecipient(publicKeyOpenssh));
    const { value, secret } = await awaitedFacts(result.machineKey);
    assert.deepEqual({ value, secret }, { value: privateKeyOpenssh, secret: true });
  });

  it("does not log in: EC2 and the deployment have the login key, and expect the machine's on the machine", async () => {
    const answers = cloud();
    const { result, resources } = await run(answers, separate);
    const login = answers.keys.get("nixos-key")!;
    const machine = answers.keys.get("nixos-machine-key")!;
    assert.equal(only(resources, "aws:ec2/keyPair:KeyPair").inputs["publicKey"], login.publicKeyOpenssh.trim());
    const environment = environmentOf(resources);
    assert.deepEqual(environment["DEPLOY_PRIVATE_KEY"], secret(login.privateKeyOpenssh));
    assert.equal(environment["DEPLOY_MACHINE_PUBLIC_KEY"], machine.publicKeyOpenssh.trim());
    assert.equal(environment["DEPLOY_AGE_RECIPIENT"], ageRecipient(machine.publicKeyOpenssh));
    assert.equal(await awaited(result.loginKey), login.privateKeyOpenssh);
  });

  it("is in no plain text, and neither is the login key", async () => {
    const texts = plainTextsOf(await run(cloud(), separate));
    assert.ok(texts.length > 0);
    assert.deepEqual(
      texts.filter((text) => text.includes("PRIVATE KEY")),
      [],
    );
  });

  it("has versions like the login key", async () => {
    const program = () =>
      new ContinuousDeployment("nixos", { ...repository, separateMachineKey: true, keyVersions: [1, 2] });
    const { resources } = await run(cloud(), program);
    const keys = resources.filter(({ type }) => type === KEY).map(({ name }) => name);
    assert.deepEqual(keys.sort(), [
      "nixos-host-key",
      "nixos-key",
      "nixos-key-2",
      "nixos-machine-key",
      "nixos-machine-key-2",
    ]);
  });
});
