import type { Edit } from "./edit";

/** Each follows on the one before. */
export const MACHINE: Edit[] = [
  {
    what: "a comment in the program, the release, and a newer image that is published meanwhile",
    configure: { "machine.release": "25.11" },
    edit: (stack) => {
      stack.edit("index.ts", (text) => `${text}// A comment.\n`);
      stack.fakes.ec2.publishNixos("25.11", "2026-10-01T00:00:00.000Z");
    },
    becomes: {},
  },
  { what: "instanceType", configure: { "machine.instanceType": "t3.medium" }, becomes: { nixos: "update" } },
  { what: "rootVolumeGiB", configure: { "machine.rootVolumeGiB": "30" }, becomes: { nixos: "update" } },
  {
    what: "sshCidrBlocks",
    configure: { "machine.sshCidrBlocks": '["192.0.2.0/24"]' },
    becomes: { "nixos-ssh-0.0.0.0_0": "delete", "nixos-ssh-192.0.2.0_24": "create" },
  },
  {
    what: "a second network in sshCidrBlocks, in front",
    configure: { "machine.sshCidrBlocks": '["198.51.100.7/32", "192.0.2.0/24"]' },
    becomes: { "nixos-ssh-198.51.100.7_32": "create" },
  },
  {
    what: "sshIpv6CidrBlocks",
    configure: { "machine.sshIpv6CidrBlocks": "[]" },
    becomes: { "nixos-ssh---_0": "delete" },
  },
  {
    what: "httpCidrBlocks and httpIpv6CidrBlocks",
    configure: { "machine.httpCidrBlocks": '["203.0.113.0/24"]', "machine.httpIpv6CidrBlocks": '["2001:db8::/32"]' },
    becomes: {
      "nixos-http-0.0.0.0_0": "delete",
      "nixos-http---_0": "delete",
      "nixos-http-203.0.113.0_24": "create",
      "nixos-http-2001-db8--_32": "create",
    },
  },
  {
    what: "httpPorts",
    configure: { "machine.httpPorts": "[80, 443]" },
    becomes: { "nixos-http-443-203.0.113.0_24": "create", "nixos-http-443-2001-db8--_32": "create" },
  },
  {
    what: "keyVersions, a second one",
    configure: { keyVersions: "[1, 2]" },
    becomes: { "nixos-key-2": "create" },
  },
  {
    what: "keyVersions, the first alone again",
    configure: { keyVersions: "[1]" },
    becomes: { "nixos-key-2": "delete" },
  },
  {
    what: "separateMachineKey",
    configure: { separateMachineKey: "true" },
    becomes: {
      "nixos-machine-key": "create",
      "nixos-repository-deploy-key": "replace",
      nixos: "update",
      "nixos-deployment": "update",
    },
    deployments: 1,
  },
  {
    what: "amiId",
    configure: { "machine.amiId": ({ ec2 }) => ec2.images[0]!.id },
    becomes: { nixos: "replace", "nixos-address": "update", "nixos-deployment": "replace" },
    deployments: 1,
  },
  {
    what: "subnetId, in another VPC",
    configure: { "machine.subnetId": ({ ec2 }) => ec2.subnets[2]!.id },
    becomes: {
      nixos: "replace",
      "nixos-address": "update",
      "nixos-deployment": "replace",
      "nixos-security-group": "replace",
      "nixos-ssh-198.51.100.7_32": "replace",
      "nixos-ssh-192.0.2.0_24": "replace",
      "nixos-http-203.0.113.0_24": "replace",
      "nixos-http-2001-db8--_32": "replace",
      "nixos-http-443-203.0.113.0_24": "replace",
      "nixos-http-443-2001-db8--_32": "replace",
      "nixos-out-ipv4": "replace",
      "nixos-out-ipv6": "replace",
    },
    deployments: 1,
  },
  {
    what: "extraRules",
    configure: { "machine.extraRules": '["udp/51820 0.0.0.0/0"]' },
    becomes: { "nixos-udp-51820-0.0.0.0_0": "create" },
  },
  {
    what: "exclusiveRules",
    configure: { "machine.exclusiveRules": "true" },
    becomes: { "nixos-exclusive-rules": "create" },
  },
  {
    what: "allowedRuleIds, of a rule that somebody added",
    configure: {
      "machine.allowedRuleIds": ({ ec2 }) => {
        const group = [...ec2.groups.keys()].at(-1)!;
        const rule = { direction: "ingress", ipProtocol: "tcp", fromPort: 8080, toPort: 8080 } as const;
        return JSON.stringify([ec2.addRuleByHand(group, { ...rule, cidrIpv4: "192.0.2.9/32" })]);
      },
    },
    becomes: { "nixos-exclusive-rules": "update" },
  },
  { what: "protect", configure: { protect: "true" }, becomes: {} },
];
