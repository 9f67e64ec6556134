import assert from "node:assert/strict";
import { only, plainInputs, TYPES } from "../../cli/rehearse/records";
import { existingNetwork, PROJECT_REPOSITORY } from "./definitions";
import { describeExample } from "./describeExample";
import { ExampleStage } from "./stage";

describeExample(existingNetwork, (stage) => {
  it("puts machine and security group into the subnet and its VPC", () => {
    const { ec2 } = stage().fakes;
    const subnet = ec2.subnets.find(({ defaultForAz }) => !defaultForAz)!;
    assert.equal(plainInputs(only(stage().run(), TYPES.instance))["subnetId"], subnet.id);
    assert.deepEqual(
      [...ec2.groups.values()].map(({ vpcId }) => vpcId),
      [subnet.vpcId],
    );
  });

  it("protects the repository, gives the machine a deploy key, and changes nothing else of it", () => {
    const { settings, protections, deployKeys } = stage().fakes.github.repository(PROJECT_REPOSITORY)!;
    assert.deepEqual(settings, { visibility: "private" });
    assert.deepEqual([protections.size, deployKeys.size], [1, 1]);
  });

  it("refuses in the preview a repository that is not there", async () => {
    const alone = new ExampleStage({ ...existingNetwork, prepare: undefined });
    try {
      await assert.rejects(alone.up(), /GitHub shows no repository example\/pulumi-nixos to this token/);
    } finally {
      await alone.stop();
    }
  });
});
