/**
 * A firewall from update to update, on the emulated EC2 and Pulumi's mock runtime: rules that somebody added by hand are
 * named and left alone, or revoked by choice, and the program's own can go, move and be destroyed with it.
 * Cannot prove: what EC2 answers, or an engine's refresh; the exclusive list's own refresh is asked of the provider.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { newKey } from "../../cli/rehearse/keys";
import type { Run } from "../../cli/rehearse/drivers/driver";
import { InProcessDriver } from "../../cli/rehearse/drivers/inProcess";
import { awsProvider, Ec2, Iam } from "../../cli/rehearse/emulators/aws";
import { Github } from "../../cli/rehearse/emulators/github";
import { Operations } from "../../cli/rehearse/emulators/operations";
import { ROOT } from "../../cli/rehearse/project";

const EXCLUSIVE = "aws:ec2/vpcSecurityGroupRulesExclusive:VpcSecurityGroupRulesExclusive";

describe("a firewall with rules that somebody added by hand", function () {
  let folder: string;
  let ec2: Ec2;
  let aws: Operations;
  let driver: InProcessDriver;
  const key = newKey().privateKeyOpenssh;

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "foreign-rules-"));
    writeFileSync(path.join(folder, "Pulumi.yaml"), "name: firewall\nruntime: nodejs\n");
    writeFileSync(path.join(folder, "package.json"), "{}");
    const iam = new Iam();
    ec2 = new Ec2();
    aws = new Operations(awsProvider(ec2, iam));
    const fakes = { ec2, iam, github: new Github(), providers: { aws }, stop: () => undefined };
    driver = new InProcessDriver(folder, fakes, "as the test asks for");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** One update of a machine with these arguments; without any there is no machine. */
  function update(args?: object): Promise<Run> {
    return driver.update(program(args));
  }

  function program(args?: object) {
    const given = JSON.stringify({ keyName: undefined, machineKey: key, hostKey: key, ...args });
    const components = JSON.stringify(path.join(ROOT, "components/index"));
    const text = `import { NixosInstance } from ${components};\nnew NixosInstance("web", ${given} as never);\n`;
    writeFileSync(path.join(folder, "index.ts"), args === undefined ? "export {};\n" : text);
    return { config: {} };
  }
  const group = () => [...ec2.groups.values()][0]!;
  const openings = () =>
    [...group().rules.values()]
      .filter(({ direction }) => direction === "ingress")
      .map(
        (rule) =>
          `${String(rule["ipProtocol"])} ${String(rule["fromPort"])} ${String(rule["cidrIpv4"] ?? rule["cidrIpv6"])}`,
      )
      .sort();
  const everyone = { cidrIpv4: "0.0.0.0/0" };
  const byHand = (port = 8080, peer: object = everyone) =>
    ec2.addRuleByHand(group().id, { direction: "ingress", ipProtocol: "tcp", fromPort: port, toPort: port, ...peer });
  const changes = ({ operations }: Run) =>
    Object.fromEntries(
      operations
        .filter(({ operation, custom }) => custom && operation !== "same")
        .map(({ urn, operation }) => [urn.split("::").at(-1)!, operation]),
    );
  const narrow = { sshCidrBlocks: ["192.0.2.0/24"], sshIpv6CidrBlocks: [], httpIpv6CidrBlocks: [] };

  // Fault 105
  it("are named by every run, and left alone", async () => {
    assert.doesNotMatch((await update(narrow)).log, /not of this stack/);
    const id = byHand();
    const run = await update(narrow);
    assert.match(run.log, new RegExp(`rules that are not of this stack:\\n +${id}: tcp 8080 from 0\\.0\\.0\\.0/0`));
    assert.deepEqual(changes(run), {});
    assert.ok(openings().includes("tcp 8080 0.0.0.0/0"));
  });

  for (const [what, port, peer, more, name] of [
    ["a port of the web server", 443, everyone, { httpPorts: [80, 443] }, "web-http-443-0.0.0.0_0"],
    ["IPv6", 80, { cidrIpv6: "::/0" }, { httpIpv6CidrBlocks: ["::/0"] }, "web-http---_0"],
    ["SSH", 22, { cidrIpv4: "198.51.100.0/24" }, { sshCidrBlocks: ["198.51.100.0/24"] }, "web-ssh-198.51.100.0_24"],
    ["extraRules", 9000, everyone, { extraRules: ["tcp/9000 0.0.0.0/0"] }, "web-http-9000-0.0.0.0_0"],
  ] as const) {
    // Fault 114
    it(`of the same content as a new one are named before EC2 refuses it: ${what}`, async () => {
      await update(narrow);
      const id = byHand(port, peer);
      const wanted = { ...narrow, ...more };
      const count = group().rules.size;
      await assert.rejects(driver.preview(program(wanted)), (error: Error) => {
        assert.match(
          error.message,
          new RegExp(`rule of the same content as ${name.replaceAll(".", "\\.")} already, ${id}`),
        );
        assert.ok(error.message.includes(`npm run adopt -- ${name}=${id}`), error.message);
        return true;
      });
      assert.equal(group().rules.size, count);
      await assert.rejects(update(wanted), /InvalidPermission\.Duplicate/);
      group().rules.delete(id);
      await driver.preview(program(wanted));
      assert.equal(changes(await update(wanted))[name], "create");
      await driver.preview(program(wanted));
    });
  }

  it("are named before they are in the way of one that was revoked by hand", async () => {
    const { resources } = await update({ ...narrow, httpPorts: [80, 443] });
    const { urn, id } = resources.find((one) => one.urn.endsWith("::web-http-443-0.0.0.0_0"))!;
    group().rules.delete(id!);
    byHand(443);
    // As after a refresh, which does not find it any more.
    driver["known"].delete(urn);
    await assert.rejects(driver.preview(program({ ...narrow, httpPorts: [80, 443] })), /of the same content as/);
  });

  it("are named by the run that revokes them, when the list becomes exclusive, and gone after it", async () => {
    await update(narrow);
    const id = byHand();
    const run = await update({ ...narrow, exclusiveRules: true });
    assert.match(run.log, new RegExp(`${id}: tcp 8080[^]*The update revokes them`));
    assert.deepEqual(changes(run), { "web-exclusive-rules": "create" });
    assert.deepEqual(openings(), ["tcp 22 192.0.2.0/24", "tcp 80 0.0.0.0/0"]);
  });

  it("stay where they are allowed by their id", async () => {
    await update(narrow);
    const id = byHand();
    const run = await update({ ...narrow, exclusiveRules: true, allowedRuleIds: [id] });
    assert.doesNotMatch(run.log, /not of this stack/);
    assert.ok(openings().includes("tcp 8080 0.0.0.0/0"));
  });

  it("show in a refresh once the list is exclusive, and the next update revokes them", async () => {
    const { resources } = await update({ ...narrow, exclusiveRules: true });
    const { id, inputs, outputs } = resources.find(({ type }) => type === EXCLUSIVE)!;
    const foreign = byHand();
    const refreshed = aws.read(EXCLUSIVE, id!, inputs, outputs)!;
    assert.ok((refreshed.inputs["ingressRuleIds"] as string[]).includes(foreign));
    assert.ok(aws.diff(EXCLUSIVE, refreshed.inputs, inputs).changes.length > 0);
    await aws.update(EXCLUSIVE, id!, refreshed.state, refreshed.inputs, inputs, false);
    assert.deepEqual(openings(), ["tcp 22 192.0.2.0/24", "tcp 80 0.0.0.0/0"]);
  });

  for (const exclusiveRules of [false, true]) {
    describe(exclusiveRules ? "with an exclusive list" : "without an exclusive list", () => {
      it("a rule of the program's own goes without being taken for a foreign one", async () => {
        await update({ ...narrow, exclusiveRules, httpPorts: [80, 443] });
        const run = await update({ ...narrow, exclusiveRules, httpPorts: [80] });
        assert.doesNotMatch(run.log, /not of this stack/);
        assert.equal(changes(run)["web-http-443-0.0.0.0_0"], "delete");
        assert.deepEqual(openings(), ["tcp 22 192.0.2.0/24", "tcp 80 0.0.0.0/0"]);
      });

      it("a rule of the program's own is changed to another network", async () => {
        await update({ ...narrow, exclusiveRules });
        const run = await update({ ...narrow, exclusiveRules, sshCidrBlocks: ["198.51.100.0/24"] });
        assert.doesNotMatch(run.log, /not of this stack/);
        assert.deepEqual(openings(), ["tcp 22 198.51.100.0/24", "tcp 80 0.0.0.0/0"]);
      });

      it("a rule that is written elsewhere stays the same rule: EC2 would refuse a second one", async () => {
        await update({ ...narrow, exclusiveRules, httpPorts: [80, 8080] });
        const moved = { ...narrow, exclusiveRules, httpPorts: [80], extraRules: ["tcp/8080 0.0.0.0/0"] };
        assert.deepEqual(changes(await update(moved)), { "web-http-8080-0.0.0.0_0": "update" });
      });

      it("everything is destroyed, with what was added", async () => {
        await update({ ...narrow, exclusiveRules });
        byHand();
        await update();
        assert.equal(ec2.groups.size, 0);
        assert.equal(ec2.instances.size, 0);
      });
    });
  }
});
