import { runSimulation } from "@cloud-copilot/iam-simulate";
import type { Statement } from "../../components/githubActionsPolicies";

/** A call: its action, the thing that it is about, and what AWS would know of both. */
export type Call = [action: string, resource: string, context?: Record<string, string | string[]>];

/**
 * Whether a role's policy allows a call. It throws for an action, a resource or a condition key that AWS does not have:
 * the evaluator (@cloud-copilot/iam-simulate 0.1.173) knows AWS's lists of them, and leaves out a key that the action
 * does not read, as AWS does.
 */
export async function allows(statements: Statement[], [action, resource, context = {}]: Call): Promise<boolean> {
  const account = "123456789012";
  const simulated = await runSimulation(
    {
      identityPolicies: [{ name: "role", policy: { Version: "2012-10-17", Statement: statements } }],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      // Keys have AWS's default policy, which leaves it to the account's roles.
      resourcePolicy: action.startsWith("kms:") ? keyPolicy(account) : undefined,
      request: {
        principal: `arn:aws:sts::${account}:assumed-role/role/job`,
        action,
        resource: { resource, accountId: account },
        contextVariables: context,
      },
    },
    {},
  );
  if (simulated.resultType === "error") throw new Error(JSON.stringify(simulated.errors));
  if (simulated.resultType === "single") {
    const ignored = simulated.result.ignoredContextKeys ?? [];
    if (ignored.length > 0) throw new Error(`${action} on ${resource} does not read ${ignored.join(", ")}`);
  }
  return simulated.overallResult === "Allowed";
}

function keyPolicy(account: string): object {
  const everybody = { Effect: "Allow", Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: "kms:*" };
  return { Version: "2012-10-17", Statement: [{ ...everybody, Resource: "*" }] };
}

/** What a workflow's token says of its job. */
export interface Token {
  sub: string;
  ref: string;
  aud?: string;
  actor?: string;
}

interface TrustDocument {
  Statement: { Condition: Record<string, Record<string, string | string[]>> }[];
}

/**
 * Whether a trust policy lets a token in, by the document: the evaluator above reads no claims of web identities (it
 * ignores `sub` and `aud`), so this reads equality and its opposite itself, and throws for every other operator and claim.
 */
export function trusts(assumeRolePolicy: string, token: Token): boolean {
  const claims: Record<string, string> = { aud: "sts.amazonaws.com", ...token };
  const CLAIMS: Record<string, RegExp> = { StringEquals: /:(aud|sub|ref)$/, StringNotEquals: /:(actor)$/ };
  return (JSON.parse(assumeRolePolicy) as TrustDocument).Statement.some(({ Condition: condition }) => {
    // Without the subject everybody would be let in.
    if (condition["StringEquals"] === undefined) throw new Error("only equality is an exact trust");
    return Object.entries(condition).every(([operator, keys]) =>
      Object.entries(keys).every(([key, wanted]) => {
        const claim = key.startsWith("token.actions.githubusercontent.com:")
          ? CLAIMS[operator]?.exec(key)?.[1]
          : undefined;
        if (claim === undefined) throw new Error(`no such claim: ${operator} ${key}`);
        return [wanted].flat().includes(claims[claim]!) === (operator === "StringEquals");
      }),
    );
  });
}
