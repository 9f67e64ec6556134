/**
 * Every rule of the policy pack, on stacks that it must let pass and must refuse, asked over the engine's own protocol.
 * Cannot prove: that the engine tells a pack what is asserted here; test/engine/policy.spec.ts does.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { policies } from "../../policy/policies";
import { CASES } from "./cases";
import { Pack } from "../../cli/check/pack";

describe("the policy pack", () => {
  let pack: Pack;
  before(async () => {
    pack = await Pack.start();
  });
  after(() => pack?.stop());
  afterEach(() => pack.configure({}));

  it("has cases for every rule", () => {
    assert.deepEqual(
      Object.keys(CASES),
      policies.map(({ name }) => name),
    );
  });

  for (const { name, description, enforcementLevel, remediationSteps, url } of policies) {
    const level = enforcementLevel === "disabled" ? "advisory" : enforcementLevel;
    const found = async (stack: Parameters<Pack["all"]>[0]) => {
      if (enforcementLevel === "disabled") await pack.configure({ [name]: { level: "advisory" } });
      return (await pack.all(stack)).filter(({ rule }) => rule === name);
    };
    const { pass, fail, unknown } = CASES[name]!;

    it(`${name}: lets pass what is right`, async () => {
      assert.ok(pass.length > 0);
      for (const stack of pass) assert.deepEqual(await found(stack), [], JSON.stringify(stack));
    });

    it(`${name}: refuses what is wrong, and says what to do`, async () => {
      assert.ok(fail.length > 0);
      for (const [stack, words] of fail) {
        const judged = (await found(stack)).filter(({ message }) => !/can't be known/.test(message));
        assert.equal(judged.length, 1, JSON.stringify([stack, judged]));
        assert.equal(judged[0]!.level, level);
        assert.match(judged[0]!.message, words);
        assert.ok(judged[0]!.message.startsWith(`${description}\n`));
        assert.ok(judged[0]!.message.endsWith(`\n${remediationSteps}\n${url}`));
        assert.notEqual(judged[0]!.urn, "", "the resource is named");
      }
    });

    if (unknown.length > 0) {
      it(`${name}: says of what a preview cannot know that it was not checked`, async () => {
        for (const stack of unknown) {
          const judged = await found(stack);
          assert.deepEqual(
            judged.map((one) => one.level),
            ["advisory"],
            JSON.stringify([stack, judged]),
          );
          assert.match(judged[0]!.message, /can't be known during preview$/);
        }
      });
    }
  }

  it("never repeats a secret that it finds", async () => {
    for (const [stack] of CASES["no-secret-in-plain-text"]!.fail) {
      for (const { message } of await pack.all(stack)) assert.doesNotMatch(message, /AAAA|a1a1|QQQQ/);
    }
  });

  it("takes another level and other values from the configuration", async () => {
    const open = (fromPort: number) => ({
      type: "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
      props: { ipProtocol: "tcp", fromPort, toPort: fromPort, cidrIpv4: "0.0.0.0/0" },
    });
    const levels = async (port: number) => (await pack.resource(open(port))).map(({ level }) => level);
    assert.deepEqual([await levels(22), await levels(2222)], [["advisory"], []]);
    await pack.configure({ "ssh-not-open-to-the-world": { level: "mandatory", values: { ports: [2222] } } });
    assert.deepEqual([await levels(22), await levels(2222)], [[], ["mandatory"]]);
    await pack.configure({ "ssh-not-open-to-the-world": { level: "disabled" } });
    assert.deepEqual([await levels(22), await levels(2222)], [[], []]);
  });

  it("lets a stack name its own components and provider generations", async () => {
    const [stack] = CASES["user-data-from-component"]!.fail[2]!;
    await pack.configure({
      "user-data-from-component": { level: "mandatory", values: { components: ["web:index:Server"] } },
      "provider-versions": { level: "mandatory", values: { versions: { aws: 8 } } },
    });
    const rules = async (stack: Parameters<Pack["all"]>[0]) => (await pack.all(stack)).map(({ rule }) => rule);
    assert.ok(!(await rules(stack)).includes("user-data-from-component"));
    assert.deepEqual(await rules([{ type: "pulumi:providers:aws", props: { version: "8.1.0" } }]), []);
    assert.deepEqual(await rules([{ type: "pulumi:providers:aws", props: { version: "7.1.0" } }]), [
      "provider-versions",
    ]);
  });

  it("expects the provider generations that package.json pins", () => {
    const { dependencies } = JSON.parse(readFileSync("package.json", "utf8")) as {
      dependencies: Record<string, string>;
    };
    const rule = policies.find(({ name }) => name === "provider-versions")!;
    const expected = rule.configSchema!.properties["versions"]!.default as Record<string, number>;
    assert.deepEqual(Object.keys(expected), ["aws", "command", "github", "tls"]);
    for (const [name, major] of Object.entries(expected))
      assert.equal(Number(dependencies[`@pulumi/${name}`]!.split(".")[0]), major, name);
  });
});
