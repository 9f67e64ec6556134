/**
 * Keys that a machine brings, because something else made it, against mocks: who is given them, and where they show.
 * Cannot prove: that a machine accepts them (it has them already), or what an engine does with an imported machine
 * (test/engine/fromTerraform.spec.ts).
 */
import assert from "node:assert/strict";
import { ContinuousDeployment, type ContinuousDeploymentArgs, SshKeyPair } from "../../components/index";
import { ageRecipient } from "../../components/keys/age";
import { renderUserData } from "../../components/keys/userData";
import { awaited, awaitedFacts } from "../support/awaited";
import { cloud } from "../support/cloud";
import { newKey } from "../../cli/rehearse/keys";
import { cloudResources, only, plainTextsOf, refusal, run, type Values } from "../support/mocks";
import { secret } from "../support/wire";

const KEY = "tls:index/privateKey:PrivateKey";
const INSTANCE = "aws:ec2/instance:Instance";
const key = newKey();
const hostKey = newKey();
const publicKey = key.publicKeyOpenssh.trim();

async function server(args: Partial<ContinuousDeploymentArgs>) {
  const answers = cloud();
  const base: ContinuousDeploymentArgs = {
    owner: "octo",
    repositoryName: "server",
    repository: { githubPlan: "paid" },
  };
  const whole = { ...base, adoptedKey: key.privateKeyOpenssh, adoptedHostKey: hostKey.privateKeyOpenssh, ...args };
  const outcome = await run(answers, () => new ContinuousDeployment("nixos", whole));
  const made = outcome.resources.filter(({ type }) => type === KEY).map(({ name }) => name);
  return { ...outcome, made: made.sort(), keys: answers.keys };
}

describe("adopted keys", () => {
  it("stand for generation 1 and the host key: none is made, and user data holds the adopted ones", async () => {
    const { resources, made } = await server({});
    assert.deepEqual(made, []);
    const expected = renderUserData({ machineKey: key.privateKeyOpenssh, hostKey: hostKey.privateKeyOpenssh });
    assert.deepEqual(only(resources, INSTANCE).inputs["userData"], secret(expected));
  });

  it("log in, are pinned, open the secrets and read the repository", async () => {
    const { resources, result } = await server({});
    const environment = only(resources, "command:local:Command").inputs["environment"] as Values;
    assert.deepEqual(environment["DEPLOY_PRIVATE_KEY"], secret(key.privateKeyOpenssh));
    assert.equal(environment["DEPLOY_HOST_KEY"], hostKey.publicKeyOpenssh.trim());
    assert.equal(environment["DEPLOY_MACHINE_PUBLIC_KEY"], publicKey);
    assert.equal(only(resources, "aws:ec2/keyPair:KeyPair").inputs["publicKey"], publicKey);
    assert.equal(only(resources, "github:index/repositoryDeployKey:RepositoryDeployKey").inputs["key"], publicKey);
    assert.equal(await awaited(result.ageRecipient), ageRecipient(publicKey));
    assert.deepEqual(await awaited(result.loginPublicKeys), [publicKey]);
  });

  it("show in no plain text", async () => {
    for (const separateMachineKey of [false, true]) {
      const texts = plainTextsOf(await server({ separateMachineKey }));
      assert.ok(texts.length > 100);
      assert.deepEqual(
        texts.filter((text) => text.includes("PRIVATE KEY")),
        [],
      );
    }
  });

  it("are led away from by a rotation", async () => {
    const during = await server({ keyVersions: [2, 1] });
    assert.deepEqual(during.made, ["nixos-key-2"]);
    const inUse = during.keys.get("nixos-key-2")!.publicKeyOpenssh.trim();
    assert.deepEqual(await awaited(during.result.loginPublicKeys), [inUse, publicKey]);
    const after = await server({ keyVersions: [2] });
    assert.deepEqual(after.made, ["nixos-key-2"]);
    assert.equal((await awaited(after.result.loginPublicKeys)).includes(publicKey), false);
  });

  it("are login and machine key at once, until a rotation parts them", async () => {
    assert.deepEqual((await server({ separateMachineKey: true })).made, []);
    const { made } = await server({ separateMachineKey: true, keyVersions: [2, 1] });
    assert.deepEqual(made, ["nixos-key-2", "nixos-machine-key-2"]);
  });

  it("end with the one newline that ssh needs, however they were handed over", async () => {
    for (const adoptedKey of [key.privateKeyOpenssh, key.privateKeyOpenssh.trimEnd()]) {
      const { result } = await run(cloud(), () => new SshKeyPair("key", { adoptedKey }));
      const { value, secret } = await awaitedFacts(result.privateKeyOpenssh);
      assert.deepEqual([value, secret], [key.privateKeyOpenssh, true]);
      assert.equal(await awaited(result.publicKeyOpenssh), publicKey);
    }
  });

  it("are refused in another form before any part is made, without being shown", async () => {
    const adoptedHostKey = newKey("ecdsa").privateKeyOpenssh;
    const args = { owner: "octo", repositoryName: "server", adoptedKey: "not-a-key", adoptedHostKey };
    const { error, resources } = await refusal(cloud(), () => new ContinuousDeployment("nixos", args));
    assert.match(error.message, /- adoptedKey: got a text of another form; allowed: an ed25519 private key/);
    assert.match(error.message, /- adoptedHostKey: got a key of type ecdsa; allowed: an ed25519 private key/);
    assert.doesNotMatch(error.message, /not-a-key|BEGIN/);
    assert.deepEqual(cloudResources(resources), []);
  });
});
