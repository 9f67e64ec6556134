/**
 * SshKeyPair against mocks: what it asks of the providers and what it hands on.
 * Cannot prove: that EC2 and the tls provider take these inputs, or that SOPS opens with the recipient (age.spec.ts
 * compares it with age itself).
 */
import assert from "node:assert/strict";
import { Provider } from "@pulumi/aws/provider";
import { SshKeyPair } from "../../components/index";
import { ageRecipient } from "../../components/keys/age";
import { awaited, awaitedFacts } from "../support/awaited";
import { cloud } from "../support/cloud";
import { cloudResources, only, plainTextsOf, run, table } from "../support/mocks";
import { secret } from "../support/wire";

describe("SshKeyPair", () => {
  it("makes one key and one EC2 key pair, both its children", async () => {
    const { resources } = await run(cloud(), () => new SshKeyPair("key"));
    assert.deepEqual(table(resources), [
      "aws:ec2/keyPair:KeyPair key-key-pair in key",
      "nixos:index:SshKeyPair key in -",
      "tls:index/privateKey:PrivateKey key in key",
    ]);
  });

  it("makes an ed25519 key", async () => {
    const { resources } = await run(cloud(), () => new SshKeyPair("key"));
    assert.deepEqual(only(resources, "tls:index/privateKey:PrivateKey").inputs, { algorithm: "ED25519" });
  });

  it("gives EC2 the public key in one line and leaves the name to Pulumi", async () => {
    const answers = cloud();
    const { resources } = await run(answers, () => new SshKeyPair("key"));
    const publicKey = answers.keys.get("key")!.publicKeyOpenssh.trim();
    assert.deepEqual(only(resources, "aws:ec2/keyPair:KeyPair").inputs, { publicKey });
  });

  it("names the EC2 key pair as asked", async () => {
    const { resources, result } = await run(cloud(), () => new SshKeyPair("key", { keyName: "laptop" }));
    assert.equal(only(resources, "aws:ec2/keyPair:KeyPair").inputs["keyName"], "laptop");
    assert.equal(await awaited(result.keyName), "laptop");
  });

  it("hands on the name that the key pair really has", async () => {
    const { result } = await run(cloud(), () => new SshKeyPair("key"));
    assert.equal(await awaited(result.keyName), "key-key-pair-1a2b3c4");
  });

  it("hands on the public key without its newline", async () => {
    const answers = cloud();
    const { result } = await run(answers, () => new SshKeyPair("key"));
    assert.equal(await awaited(result.publicKeyOpenssh), answers.keys.get("key")!.publicKeyOpenssh.trim());
  });

  it("hands on the private key unchanged, as a secret", async () => {
    const answers = cloud();
    const { result } = await run(answers, () => new SshKeyPair("key"));
    const { value, secret } = await awaitedFacts(result.privateKeyOpenssh);
    assert.deepEqual({ value, secret }, { value: answers.keys.get("key")!.privateKeyOpenssh, secret: true });
  });

  it("hands on the age recipient of the public key, not as a secret", async () => {
    const answers = cloud();
    const { result } = await run(answers, () => new SshKeyPair("key"));
    const { value, secret } = await awaitedFacts(result.ageRecipient);
    const expected = ageRecipient(answers.keys.get("key")!.publicKeyOpenssh);
    assert.deepEqual({ value, secret }, { value: expected, secret: false });
  });

  it("registers exactly its outputs", async () => {
    const answers = cloud();
    const { resources } = await run(answers, () => new SshKeyPair("key"));
    const { privateKeyOpenssh, publicKeyOpenssh } = answers.keys.get("key")!;
    assert.deepEqual(only(resources, "nixos:index:SshKeyPair").outputs, {
      publicKeyOpenssh: publicKeyOpenssh.trim(),
      privateKeyOpenssh: secret(privateKeyOpenssh),
      keyName: "key-key-pair-1a2b3c4",
      ageRecipient: ageRecipient(publicKeyOpenssh),
      publicKeysOpenssh: [publicKeyOpenssh.trim()],
      ageRecipients: [ageRecipient(publicKeyOpenssh)],
    });
  });

  it("shows the private key in no plain text", async () => {
    const texts = plainTextsOf(await run(cloud(), () => new SshKeyPair("key")));
    assert.ok(texts.length > 0);
    assert.deepEqual(
      texts.filter((text) => text.includes("PRIVATE KEY")),
      [],
    );
  });

  it("passes an explicit provider on to the EC2 key pair", async () => {
    const answers = cloud();
    answers.resources["pulumi:providers:aws"] = () => ({});
    const { resources } = await run(answers, () => {
      const aws = new Provider("elsewhere", { region: "eu-central-1" });
      return new SshKeyPair("key", {}, { providers: [aws] });
    });
    assert.match(only(resources, "aws:ec2/keyPair:KeyPair").provider, /::elsewhere::/);
  });

  it("fails when a provider answers nothing, rather than hang", async () => {
    const answers = cloud();
    delete answers.resources["aws:ec2/keyPair:KeyPair"];
    await assert.rejects(
      run(answers, () => new SshKeyPair("key")),
      /No mock for the resource type aws:ec2\/keyPair:KeyPair/,
    );
  });

  it("lets two of them live in one stack", async () => {
    const { resources } = await run(cloud(), () => [new SshKeyPair("a"), new SshKeyPair("b")]);
    assert.equal(cloudResources(resources).length, 4);
  });
});
