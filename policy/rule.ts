import type {
  Policy,
  PolicyComplianceFramework,
  PolicyResource,
  ReportViolation,
  ResourceValidationArgs,
  ResourceValidationPolicy,
  StackValidationArgs,
  StackValidationPolicy,
} from "@pulumi/policy";

/** What every rule says about itself; docs/policy.md is made of it. */
export interface About extends Policy {
  enforcementLevel: "mandatory" | "advisory" | "disabled";
  severity: "low" | "medium" | "high" | "critical";
  /** What to do about a violation; ends every message. */
  remediationSteps: string;
  /** Where to read more. */
  url: string;
}

/** Inputs or outputs of a resource of any provider. Reading a value that is not known yet throws. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- providers have hundreds of shapes
export type Properties = Record<string, any>;

/** A resource that a rule looks at: in a stack rule with its place among the others. */
export type Resource = Pick<PolicyResource, "type" | "name" | "urn" | "opts"> & { props: Properties };

/** Tells what is wrong, in one sentence with the value that was found. */
export type Report = (problem: string) => void;

/** A rule about each resource of some types, by its inputs. It runs before the resource is changed. */
export function resourceRule(
  about: About & {
    types: string[] | RegExp;
    check: (resource: Resource, report: Report, args: ResourceValidationArgs) => void;
  },
): ResourceValidationPolicy & About {
  const { types, check, ...policy } = about;
  const applies = (type: string) => (Array.isArray(types) ? types.includes(type) : types.test(type));
  return {
    ...policy,
    validateResource: (args, report) => {
      if (applies(args.type)) check(args, (problem) => report(message(policy, problem)), args);
    },
  };
}

/** A rule about resources that belong together, by their outputs. It runs at the end of a preview or an update. */
export function stackRule(
  about: About & {
    check: (resources: PolicyResource[], report: (resource: Resource, problem: string) => void) => void;
  },
): StackValidationPolicy & About {
  const { check, ...policy } = about;
  return {
    ...policy,
    validateStack: ({ resources }: StackValidationArgs, report: ReportViolation) =>
      check(resources, ({ urn }, problem) => report(message(policy, problem), urn)),
  };
}

function message({ remediationSteps, url }: About, problem: string): string {
  return `${problem}\n${remediationSteps}\n${url}`;
}

/**
 * Visits each member of a list. One that is not known yet is met last, so that it hides nothing of the others; the rule
 * is then reported as one that cannot be checked in this preview.
 */
export function eachKnown<T>(members: readonly T[], visit: (member: T) => void): void {
  const failures: unknown[] = [];
  for (let at = 0; at < members.length; at++) {
    try {
      visit(members[at]!);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** A control of AWS Security Hub. */
export function securityHub(reference: string, specification: string): PolicyComplianceFramework {
  return { name: "AWS Foundational Security Best Practices", version: "1.0.0", reference, specification };
}

/** A recommendation of the CIS about source code. */
export function supplyChain(reference: string, specification: string): PolicyComplianceFramework {
  return { name: "CIS Software Supply Chain Security Guide", version: "1.0", reference, specification };
}
