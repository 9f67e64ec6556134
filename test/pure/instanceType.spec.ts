/**
 * instanceType.ts on AWS's names of instance types.
 * Cannot prove: that a type exists in the region, nor what AWS will call its next ones.
 */
import assert from "node:assert/strict";
import { isShortOfMemory, x86InstanceType } from "../../components/values/instanceType";

const X86 = `t2.micro t3.small t3a.medium m5.large m7i.large m7i-flex.large m8a.xlarge c6in.large r7iz.large c5ad.large
  g4dn.xlarge g4ad.xlarge g6.xlarge g6e.xlarge gr6.4xlarge p4d.24xlarge p5en.48xlarge p6-b200.48xlarge inf2.xlarge
  trn1n.32xlarge i4i.large i7ie.metal-24xl d3en.xlarge x2iedn.32xlarge u-6tb1.112xlarge u7i-12tb.224xlarge z1d.large
  hpc6a.48xlarge f2.6xlarge vt1.3xlarge dl1.24xlarge`.split(/\s+/);
const ARM = `a1.large t4g.small m6g.large m6gd.large m7g.medium m8g.large c6gn.large c7gd.large c8g.large c8gn.large
  r8g.large r8gd.metal-24xl x2gd.medium x8g.large g5g.xlarge i4g.large im4gn.large is4gen.large i8g.large hpc7g.4xlarge
  p6e-gb200.36xlarge`.split(/\s+/);

describe("x86InstanceType", () => {
  for (const type of X86) it(`takes ${type}`, () => assert.deepEqual(x86InstanceType("instanceType", type), []));

  for (const type of ARM) {
    it(`refuses ${type}, an ARM machine`, () => {
      assert.deepEqual(x86InstanceType("instanceType", type), [
        `instanceType: got "${type}", which is an ARM (aarch64) machine; allowed: an x86_64 type such as "t3.small", ` +
          `"t3a.small" or "m7i.large". The NixOS image and nixosConfigurations.default are built for x86_64-linux.`,
      ]);
    });
  }

  for (const type of ["mac1.metal", "mac2.metal", "mac2-m2.metal"]) {
    it(`refuses ${type}, a macOS machine`, () => {
      assert.match(x86InstanceType("instanceType", type)[0]!, /which is a macOS machine; allowed: an x86_64 type/);
    });
  }

  for (const type of ["", "t3", "t3.", ".small", "small", "T3.small", "t3.small ", "t3.small\n", "t3 small", "t3;id"]) {
    it(`refuses ${JSON.stringify(type)}, no instance type`, () => {
      assert.deepEqual(x86InstanceType("instanceType", type), [
        `instanceType: got ${JSON.stringify(type)}; allowed: an x86_64 EC2 instance type such as "t3.small" or "m7i.large".`,
      ]);
    });
  }
});

describe("isShortOfMemory", () => {
  it("is true of the two smallest sizes only", () => {
    assert.deepEqual(["t3.nano", "t3.micro", "t3.small", "m7i.large", "t2.xlarge"].map(isShortOfMemory), [
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});
