import assert from "node:assert/strict";
import { AwsError } from "../../cli/rehearse/emulators/aws/ec2";
import { EngineStack } from "./stack";

// The looks for what somebody added by hand, through an engine: it passes on what the program warns of, and waits for it.

describe("the engine: a rule that somebody added to the firewall", function () {
  let stack: EngineStack;
  let rule: string;
  before(async function () {
    stack = await EngineStack.settled(this);
    const group = [...stack.fakes.ec2.groups.keys()][0]!;
    const open = { direction: "ingress", ipProtocol: "tcp", fromPort: 8080, toPort: 8080 } as const;
    rule = stack.fakes.ec2.addRuleByHand(group, { ...open, cidrIpv4: "0.0.0.0/0" });
  });
  after(() => stack?.stop());

  it("is named by a preview, which changes nothing, and by one with refresh as the drift job has it", async () => {
    for (const refresh of [[], ["--refresh"]]) {
      const { printed } = await stack.succeed("preview", "--expect-no-changes", ...refresh);
      assert.match(printed, /has rules that are not of this stack:/);
      assert.ok(printed.includes(`${rule}: tcp 8080 from 0.0.0.0/0`), printed);
    }
  });

  it("is named as what would be revoked by the preview that makes the list exclusive", async () => {
    stack.configure({ "machine.exclusiveRules": "true" });
    const { printed, changes } = await stack.succeed("preview");
    assert.deepEqual(changes, { "nixos-exclusive-rules": "create" });
    assert.ok(printed.includes(rule) && printed.includes("The update revokes them"), printed);
    stack.configure({ "machine.exclusiveRules": undefined });
  });

  it("is a warning that it could not be looked for, where the role may not: the preview goes on", async () => {
    const { functions } = stack.fakes.providers["aws"]!.provider;
    const name = "aws:vpc/getSecurityGroupRules:getSecurityGroupRules";
    const look = functions[name]!;
    functions[name] = () => {
      throw new AwsError("UnauthorizedOperation", "You are not authorized to perform this operation.", "reading rules");
    };
    try {
      const { printed } = await stack.succeed("preview", "--expect-no-changes");
      assert.match(printed, /It could not be seen whether somebody added rules to the firewall by hand/);
      assert.match(printed, /UnauthorizedOperation/);
    } finally {
      functions[name] = look;
    }
  });

  it("is named by the preview when the configuration asks for the same, before anything is made", async () => {
    const group = [...stack.fakes.ec2.groups.keys()][0]!;
    const open = { direction: "ingress", ipProtocol: "tcp", fromPort: 443, toPort: 443 } as const;
    const taken = stack.fakes.ec2.addRuleByHand(group, { ...open, cidrIpv4: "0.0.0.0/0" });
    stack.configure({ "machine.httpPorts": "[80, 443]" });
    for (const [command, ...args] of [["preview"], ["preview", "--refresh"], ["up", "--yes"]] as [
      string,
      ...string[],
    ][]) {
      const { errors } = await stack.fail(command, ...args);
      assert.ok(errors.includes(`npm run adopt -- nixos-http-443-0.0.0.0_0=${taken}`), errors);
    }
    assert.equal(stack.fakes.ec2.groups.get(group)!.rules.has(taken), true);
    stack.fakes.ec2.groups.get(group)!.rules.delete(taken);
    const { changes } = await stack.succeed("up", "--yes");
    assert.equal(changes["nixos-http-443-0.0.0.0_0"], "create");
  });
});
