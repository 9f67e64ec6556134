import { DEFAULTS as DEPLOYMENT } from "../deploy/rules.cjs";
import { DEFAULT_INSTANCE_TYPE } from "./instanceType";
import { DEFAULT_RELEASE } from "./nixosAmi";
import { REQUIRED_CHECKS } from "./repositoryNames";

/**
 * What holds when nobody says anything: the components take it from here, and the commands compare with it. The
 * descriptions of the arguments repeat it (`@default`), and a test compares them.
 */
export const DEFAULTS = {
  machine: {
    release: DEFAULT_RELEASE,
    instanceType: DEFAULT_INSTANCE_TYPE,
    rootVolumeGiB: 20,
    sshCidrBlocks: ["0.0.0.0/0"],
    sshIpv6CidrBlocks: ["::/0"],
    httpCidrBlocks: ["0.0.0.0/0"],
    httpIpv6CidrBlocks: ["::/0"],
    httpPorts: [80],
    extraRules: [] as string[],
    allowedRuleIds: [] as string[],
    exclusiveRules: false,
  },
  repository: {
    create: true,
    visibility: "private",
    branchProtection: "branch",
    requiredChecks: REQUIRED_CHECKS,
    requiredReviews: 0,
    enforceAdmins: false,
    onDestroy: "archive",
    githubPlan: "unknown",
  },
  deployment: DEPLOYMENT,
  integration: {
    cache: false,
    githubActionsRoles: false,
    previews: "state",
    environments: false,
    deployReviewers: [] as number[],
    deployInstanceTypes: [] as string[],
  },
  keyVersions: [1],
  separateMachineKey: false,
  protect: false,
};

type Complete<Args, Usual> = Omit<Args, keyof Usual> & {
  [Name in keyof Args & keyof Usual]-?: Exclude<Args[Name], undefined>;
};

/** Arguments with what holds where they say nothing. */
export function withDefaults<Args extends object, Usual extends object>(args: Args, usual: Usual) {
  const given = Object.entries(args).filter(([, value]) => value !== undefined);
  return { ...usual, ...Object.fromEntries(given) } as unknown as Complete<Args, Usual>;
}
