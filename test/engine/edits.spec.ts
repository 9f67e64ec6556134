import assert from "node:assert/strict";
import { type Changes, EngineStack } from "./stack";

/** What is edited, and all that becomes of it; every other resource stays the same. */
interface Edit {
  what: string;
  edit: (stack: EngineStack) => void;
  becomes: Changes;
  /** How often the deployment program is started. */
  deployments?: number;
}

const configured = (values: Record<string, string>) => (stack: EngineStack) => stack.configure(values);

// Each follows on the one before.
const EDITS: Edit[] = [
  {
    what: "a comment in the program, the release, the plan, and a newer image that is published meanwhile",
    edit: (stack) => {
      stack.edit("index.ts", (text) => `${text}// A comment.\n`);
      stack.configure({ release: "25.11", plan: "unknown" });
      stack.world.ec2.publishNixos("25.11", "2026-10-01T00:00:00.000Z");
    },
    becomes: {},
  },
  {
    what: "a page in the flake",
    edit: (stack) => stack.editSystem(),
    becomes: { "nixos-deployment": "replace" },
    deployments: 1,
  },
  { what: "instanceType", edit: configured({ instanceType: "t3.medium" }), becomes: { nixos: "update" } },
  { what: "rootVolumeGiB", edit: configured({ rootVolumeGiB: "30" }), becomes: { nixos: "update" } },
  {
    what: "sshCidrBlocks",
    edit: configured({ sshCidrBlocks: '["192.0.2.0/24"]' }),
    becomes: { "nixos-ssh-0.0.0.0_0": "delete", "nixos-ssh-192.0.2.0_24": "create" },
  },
  {
    what: "a second network in sshCidrBlocks, in front",
    edit: configured({ sshCidrBlocks: '["198.51.100.7/32", "192.0.2.0/24"]' }),
    becomes: { "nixos-ssh-198.51.100.7_32": "create" },
  },
  {
    what: "httpPorts",
    edit: configured({ httpPorts: "[80, 443]" }),
    becomes: { "nixos-http-443-0.0.0.0_0": "create", "nixos-http-443---_0": "create" },
  },
  { what: "visibility", edit: configured({ visibility: "public" }), becomes: { "nixos-repository": "update" } },
  { what: "onDestroy", edit: configured({ onDestroy: "delete" }), becomes: { "nixos-repository": "update" } },
  {
    what: "requiredChecks, requiredReviews and enforceAdmins",
    edit: configured({ requiredChecks: '["Evaluate flake.nix"]', requiredReviews: "1", enforceAdmins: "true" }),
    becomes: { "nixos-repository-protection": "update" },
  },
  {
    what: "protection: ruleset",
    edit: configured({ protection: "ruleset" }),
    becomes: { "nixos-repository-protection": "delete", "nixos-repository-ruleset": "create" },
  },
  {
    what: "protection: off",
    edit: configured({ protection: "off" }),
    becomes: { "nixos-repository-ruleset": "delete" },
  },
  {
    what: "buildOn, substitute, confirmSeconds and allowDirty",
    edit: configured({ buildOn: "local", substitute: "false", confirmSeconds: "30", allowDirty: "true" }),
    becomes: { "nixos-deployment": "update" },
    deployments: 1,
  },
  {
    what: "the repository's name",
    edit: (stack) => stack.editRepositoryFile({ name: "renamed" }),
    becomes: {
      "nixos-repository": "update",
      "nixos-repository-deploy-key": "replace",
      "nixos-deployment": "replace",
    },
    deployments: 1,
  },
  {
    what: "access: token",
    edit: (stack) => stack.editRepositoryFile({ access: "token" }),
    becomes: { "nixos-repository-deploy-key": "delete", "nixos-deployment": "replace" },
    deployments: 1,
  },
  {
    what: "amiId",
    edit: (stack) => stack.configure({ amiId: stack.world.ec2.images[0]!.id }),
    becomes: { nixos: "replace", "nixos-address": "update", "nixos-deployment": "replace" },
    deployments: 1,
  },
  {
    what: "subnetId, in another VPC",
    edit: (stack) => stack.configure({ subnetId: stack.world.ec2.subnets[2]!.id }),
    becomes: {
      nixos: "replace",
      "nixos-address": "update",
      "nixos-deployment": "replace",
      "nixos-security-group": "replace",
      "nixos-ssh-198.51.100.7_32": "replace",
      "nixos-ssh-192.0.2.0_24": "replace",
      "nixos-ssh---_0": "replace",
      "nixos-http-0.0.0.0_0": "replace",
      "nixos-http---_0": "replace",
      "nixos-http-443-0.0.0.0_0": "replace",
      "nixos-http-443---_0": "replace",
      "nixos-out-ipv4": "replace",
      "nixos-out-ipv6": "replace",
    },
    deployments: 1,
  },
];

describe("the engine: what each edit changes", function () {
  let stack: EngineStack;
  before(async function () {
    stack = await EngineStack.start(this);
    await stack.up();
  });
  after(() => stack?.stop());

  for (const { what, edit, becomes, deployments = 0 } of EDITS) {
    it(`${what}: ${summary(becomes)}`, async () => {
      const before = stack.deployments.all.length;
      edit(stack);
      const { changes } = await stack.up();
      assert.deepEqual(changes, becomes);
      assert.equal(stack.deployments.all.length - before, deployments);
    });
  }
});

/** Such as "2 updated, the rest stays". */
function summary(changes: Changes): string {
  const kinds = Object.values(changes);
  const counts = [...new Set(kinds)].map((kind) => `${kinds.filter((other) => other === kind).length} ${kind}`);
  return counts.length === 0 ? "everything stays" : `${counts.join(", ")}, the rest stays`;
}
