import type { Provider } from "../provider";
import { Ec2 } from "./ec2";
import { eip } from "./eip";
import { instance } from "./instance";
import { keyPair } from "./keyPair";
import { getAmiIds, getSubnet } from "./lookups";
import { securityGroup } from "./securityGroup";
import { securityGroupRule } from "./securityGroupRule";

export { Ec2 } from "./ec2";

/** The aws provider on an emulated EC2. */
export function awsProvider(ec2: Ec2 = new Ec2()): Provider {
  return {
    name: "aws",
    version: "7.48.0",
    bridged: true,
    checkConfig({ region }) {
      if (region === undefined || /^[a-z]{2}(-[a-z]+)+-\d$/.test(region as string)) return [];
      return [{ property: "region", reason: `invalid AWS Region: ${region as string}` }];
    },
    configure({ region }) {
      if (typeof region === "string") ec2.region = region;
    },
    resources: {
      "aws:ec2/eip:Eip": eip(ec2),
      "aws:ec2/instance:Instance": instance(ec2),
      "aws:ec2/keyPair:KeyPair": keyPair(ec2),
      "aws:ec2/securityGroup:SecurityGroup": securityGroup(ec2),
      "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": securityGroupRule(ec2, "egress"),
      "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": securityGroupRule(ec2, "ingress"),
    },
    functions: {
      "aws:ec2/getAmiIds:getAmiIds": (args) => getAmiIds(ec2, args),
      "aws:ec2/getSubnet:getSubnet": (args) => getSubnet(ec2, args),
    },
  };
}
