import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { EngineStack } from "./stack";

// Groups of keys as the real CLI writes them and the real engine hands them over.

describe("the engine: groups of configuration keys", function () {
  let stack: EngineStack;
  before(async function () {
    stack = await EngineStack.settled(this);
  });
  after(() => stack?.stop());

  const file = () => readFileSync(path.join(stack.project, "Pulumi.suite.yaml"), "utf8");

  it("take what the CLI sets with --path, encrypted too, and the next preview finds nothing new", async () => {
    await stack.succeed("config", "set", "--path", "--secret", "machine.instanceType", "t3.medium");
    assert.match(file(), /instanceType:\n +secure: /);
    const { changes, printed } = await stack.up();
    assert.deepEqual(changes, { nixos: "update" });
    assert.doesNotMatch(printed, /is now/);
    assert.equal([...stack.fakes.ec2.instances.values()][0]!.type, "t3.medium");
    await stack.succeed("preview", "--expect-no-changes");
  });

  it("leave outputs plain beside a value that is encrypted", async () => {
    const { printed } = await stack.succeed("stack", "output", "--json");
    const outputs = JSON.parse(printed) as Record<string, unknown>;
    const hidden = Object.keys(outputs).filter((name) => outputs[name] === "[secret]");
    assert.deepEqual(hidden.sort(), ["identityKey", "loginKey", "machineKey", "privateKey"]);
  });

  it("do not show a wrong value that is encrypted", async () => {
    await stack.succeed("config", "set", "--path", "--secret", "machine.instanceType", "t4g.hush");
    const { printed, errors } = await stack.fail("preview");
    assert.match(errors, /pulumi-nixos:machine\.instanceType: got a value that is encrypted; allowed: an x86_64 type/);
    assert.ok(!printed.includes("t4g.hush"));
    await stack.succeed("config", "set", "--path", "--secret", "machine.instanceType", "t3.medium");
  });

  it("are refused as a text by the engine, and with a dot in the name of a key by the program", async () => {
    stack.config["pulumi-nixos:integration"] = "cache";
    assert.match((await stack.fail("preview")).printed, /configuration key 'integration' must be of type 'object'/);
    delete stack.config["pulumi-nixos:integration"];
    stack.config["pulumi-nixos:integration.cache"] = "true";
    assert.match(
      (await stack.fail("preview")).errors,
      /pulumi-nixos:integration\.cache: --path was left out.* pulumi config set --path integration\.cache true/,
    );
    delete stack.config["pulumi-nixos:integration.cache"];
  });

  it("name what is wrong in them, all of it, before anything is made", async () => {
    stack.config["pulumi-nixos:integration"] = '{"cach":true,"ownerId":"12","previews":3}';
    const { errors } = await stack.fail("preview");
    assert.match(errors, /has 3 problems/);
    assert.match(errors, /integration\.cach: no such key\. Did you mean pulumi-nixos:integration\.cache\?/);
    assert.match(errors, /integration\.ownerId: got "12"; allowed: a whole number/);
    assert.match(errors, /integration\.previews: got 3; allowed: a text/);
    delete stack.config["pulumi-nixos:integration"];
  });

  it("hold no private key in plain text: it is refused, and not shown", async () => {
    stack.config["pulumi-nixos:adoptedKey"] = "-----BEGIN hush";
    const { printed } = await stack.fail("preview");
    assert.match(printed, /pulumi-nixos:adoptedKey: got a value in plain text; allowed: an encrypted one/);
    assert.ok(!printed.includes("hush"));
  });
});
