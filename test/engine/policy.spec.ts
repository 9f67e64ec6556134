import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import * as path from "node:path";
import { readPreview } from "../../cli/preview/read";
import type { PolicyResult } from "../../cli/preview/preview";
import { EngineStack } from "./stack";

// The policy pack, asked by the engine; the rules themselves are tested in test/policy.

const PACK = ["--policy-pack", path.resolve(__dirname, "../../policy")];

/** A machine and a key of one's own, as a program may have them beside the components. */
const OWN = `
import { Instance } from "@pulumi/aws/ec2";
import { PrivateKey } from "@pulumi/tls";
new Instance("own", {
  ami: "ami-0123456789abcdef0",
  instanceType: "t3.nano",
  userData: "#!/bin/sh",
  metadataOptions: { httpTokens: "required" },
  rootBlockDevice: { encrypted: false },
});
new PrivateKey("stray", { algorithm: "ED25519" }, { version: "4.5.0" });
`;

describe("the engine: the policy pack", function () {
  let stack: EngineStack;
  before(async function () {
    stack = await EngineStack.start(this);
  });
  after(() => stack?.stop());

  /** A preview as the workflow runs it, and what its comment is made of. */
  const previewed = async (...args: string[]) => {
    stack.environment["PULUMI_ENABLE_STREAMING_JSON_PREVIEW"] = "true";
    const { code, printed } = await stack.run("preview", "--json", ...PACK, ...args);
    delete stack.environment["PULUMI_ENABLE_STREAMING_JSON_PREVIEW"];
    return { code, printed, preview: readPreview(printed, { exitCode: code }) };
  };
  const rules = (policies: PolicyResult[], mandatory: boolean) =>
    [...new Set(policies.filter((one) => one.mandatory === mandatory).map(({ policy }) => policy))].sort();
  const decided = (config: object): string[] => {
    const file = path.join(stack.folder, "policy.json");
    writeFileSync(file, JSON.stringify(config));
    return ["--policy-pack-config", file];
  };

  it("tells of a new stack that SSH is open to everyone, and what only the update can check", async () => {
    const { code, preview } = await previewed();
    assert.deepEqual([code, preview.failed], [0, false]);
    assert.deepEqual(rules(preview.policies, true), []);
    assert.deepEqual(rules(preview.policies, false), ["no-secret-in-plain-text", "ssh-not-open-to-the-world"]);
  });

  it("stops an update in its preview, before anything is made, when the configuration makes that mandatory", async () => {
    const { errors, printed } = await stack.fail(
      "up",
      "--yes",
      ...PACK,
      ...decided({ "ssh-not-open-to-the-world": "mandatory" }),
    );
    assert.match(printed + errors, /\[mandatory\] .*ssh-not-open-to-the-world/);
    assert.equal(stack.fakes.ec2.instances.size, 0);
  });

  it("lets the update pass, and has then checked everything", async () => {
    await stack.up(...PACK);
    assert.equal(stack.fakes.ec2.instances.size, 1);
    const { preview, printed } = await previewed();
    assert.deepEqual(rules(preview.policies, true), []);
    assert.deepEqual(rules(preview.policies, false), ["ssh-not-open-to-the-world"]);
    // The debug messages among the events hold it, which is why they are never written to a file.
    const told = printed.split("\n").filter((line) => line.startsWith("{") && !/"severity":"debug"/.test(line));
    assert.ok(told.length > 20);
    assert.doesNotMatch(told.join("\n"), /PRIVATE KEY/);
  });

  it("finds nothing where SSH is open to chosen networks", async () => {
    stack.configure({ "machine.sshCidrBlocks": '["203.0.113.0/24"]', "machine.sshIpv6CidrBlocks": "[]" });
    assert.deepEqual((await previewed()).preview.policies, []);
  });

  it("refuses a machine of one's own that is not like the component's, and a stray release of a provider", async () => {
    stack.edit("index.ts", (text) => text + OWN);
    const { code, preview } = await previewed();
    assert.notEqual(code, 0);
    assert.equal(preview.failed, true);
    assert.deepEqual(rules(preview.policies, true), [
      "provider-versions",
      "user-data-from-component",
      "volumes-encrypted",
    ]);
    assert.deepEqual(rules(preview.policies, false), []);
    assert.match(preview.policies.map(({ message }) => message).join("\n"), /tls 4\.5\.0 is used, expected is 5\.x/);
  });

  it("lets a stack decide otherwise about each rule", async () => {
    const off = { "volumes-encrypted": "disabled", "provider-versions": "advisory" };
    const values = { enforcementLevel: "advisory", components: ["none:of:These"] };
    const { code, preview } = await previewed(...decided({ ...off, "user-data-from-component": values }));
    assert.equal(code, 0);
    const found = preview.policies.filter(({ policy }) => policy === "user-data-from-component");
    assert.deepEqual(found.map(({ resource }) => resource).sort(), ["nixos", "own"]);
    assert.deepEqual(rules(preview.policies, true), []);
  });
});
