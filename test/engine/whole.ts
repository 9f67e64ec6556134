import assert from "node:assert/strict";
import type { Fakes } from "../../cli/rehearse/fakes";
import type { EngineStack } from "./stack";

/** What the first update makes at the services, by the types of Pulumi. */
export const KEY_PAIR = "aws:ec2/keyPair:KeyPair";
export const GROUP = "aws:ec2/securityGroup:SecurityGroup";
export const INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule";
export const EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule";
export const INSTANCE = "aws:ec2/instance:Instance";
export const ADDRESS = "aws:ec2/eip:Eip";
export const REPOSITORY = "github:index/repository:Repository";
export const PROTECTION = "github:index/branchProtection:BranchProtection";
export const DEPLOY_KEY = "github:index/repositoryDeployKey:RepositoryDeployKey";
/** The same, as the tests name them. */
export const SERVED = {
  "the repository": REPOSITORY,
  "its protection": PROTECTION,
  "its deploy key": DEPLOY_KEY,
  "the EC2 key pair": KEY_PAIR,
  "the security group": GROUP,
  "a rule for what comes in": INGRESS,
  "a rule for what goes out": EGRESS,
  "the machine": INSTANCE,
  "its address": ADDRESS,
};
/** Keys are made by no service: they are in the state alone. */
export const KEY = "tls:index/privateKey:PrivateKey";

/** What there is of each type, by the ids that Pulumi knows them by. */
export function inTheCloud({ ec2, github }: Fakes): Record<string, string[]> {
  const { keys, groups, instances, addresses } = ec2;
  const rules = [...groups.values()].flatMap((group) => [...group.rules]);
  const going = (direction: string) => rules.filter(([, rule]) => rule.direction === direction).map(([id]) => id);
  const repositories = [...github.repositories.values()];
  return sorted({
    [KEY_PAIR]: [...keys.keys()],
    [GROUP]: [...groups.keys()],
    [INGRESS]: going("ingress"),
    [EGRESS]: going("egress"),
    [INSTANCE]: [...instances.keys()],
    [ADDRESS]: [...addresses.keys()],
    [REPOSITORY]: repositories.filter(({ archived }) => !archived).map(({ name }) => name),
    [PROTECTION]: repositories.flatMap(({ protections }) => [...protections.keys()]),
    [DEPLOY_KEY]: repositories.flatMap(({ name, deployKeys }) => [...deployKeys.keys()].map((id) => `${name}:${id}`)),
  });
}

/** Asserts that all of a stack is there, nothing twice, and that its state knows each thing by its id. */
export async function assertWhole(stack: EngineStack): Promise<void> {
  const there = inTheCloud(stack.fakes);
  assert.deepEqual(Object.fromEntries(Object.entries(there).map(([type, ids]) => [type, ids.length])), {
    [KEY_PAIR]: 1,
    [GROUP]: 1,
    [INGRESS]: 4,
    [EGRESS]: 2,
    [INSTANCE]: 1,
    [ADDRESS]: 1,
    [REPOSITORY]: 1,
    [PROTECTION]: 1,
    [DEPLOY_KEY]: 1,
  });
  const state = await stack.state();
  const known = Object.keys(there).map((type): [string, string[]] => [
    type,
    state.filter((resource) => resource.type === type).map(({ id }) => id!),
  ]);
  assert.deepEqual(sorted(Object.fromEntries(known)), there);
  const machine = [...stack.fakes.ec2.instances.keys()];
  assert.deepEqual(
    [...stack.fakes.ec2.addresses.values()].map(({ instanceId }) => instanceId),
    machine,
  );
}

/** Asserts that a destroyed stack left nothing but the archived repository. */
export async function assertGone(stack: EngineStack): Promise<void> {
  const left = Object.entries(inTheCloud(stack.fakes)).filter(([, ids]) => ids.length > 0);
  assert.deepEqual(left, []);
  assert.deepEqual(
    [...stack.fakes.github.repositories.values()].map(({ archived }) => archived),
    [true],
  );
  assert.deepEqual(await stack.state(), []);
}

function sorted(ids: Record<string, string[]>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(ids).map(([type, list]) => [type, [...list].sort()]));
}
