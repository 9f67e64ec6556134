import assert from "node:assert/strict";
import { only, plainInputs, TYPES } from "../../cli/rehearse/records";
import { ipv6Only } from "./definitions";
import { describeExample } from "./describeExample";

describeExample(ipv6Only, (stage) => {
  const input = (type: string, name: string) =>
    plainInputs(
      stage()
        .run()
        .resources.find((resource) => resource.type === type && resource.name === name)!,
    );

  it("gives the one IPv4 address to the NAT gateway, and the machine an IPv6 address of its subnet", () => {
    const { addresses, instances } = stage().fakes.ec2;
    assert.deepEqual(
      [...addresses.values()].map(({ instanceId }) => instanceId),
      [undefined],
    );
    const [machine] = [...instances.values()];
    assert.match(machine!.ipv6Addresses[0]!, /^2001:db8:1:100::[0-9a-f]+$/);
    assert.equal(plainInputs(only(stage().run(), TYPES.instance))["associatePublicIpAddress"], false);
    assert.equal(stage().run().outputs["url"], `http://[${machine!.ipv6Addresses[0]}]`);
  });

  it("sends what goes to IPv4 addresses through the NAT gateway, by names that DNS64 translates", () => {
    const { routes } = input("aws:ec2/routeTable:RouteTable", "machine") as { routes: Record<string, string>[] };
    const targets = routes.map(({ ipv6CidrBlock, gatewayId, natGatewayId }) => [
      ipv6CidrBlock,
      (gatewayId ?? natGatewayId)!.split("-")[0],
    ]);
    assert.deepEqual(targets, [
      ["::/0", "igw"],
      ["64:ff9b::/96", "nat"],
    ]);
    assert.equal(input("aws:ec2/subnet:Subnet", "machine")["enableDns64"], true);
  });

  it("has a way to GitHub before the machine is deployed", () => {
    const [deployment] = stage().deployments;
    const kinds = [...deployment!.elsewhere.keys()].map((id) => id.split("-")[0]);
    assert.equal(kinds.filter((kind) => kind === "rtbassoc").length, 2);
    assert.ok(kinds.includes("nat"));
  });
});
