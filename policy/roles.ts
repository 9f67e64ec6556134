import { list, type Statement, statementsOf } from "./iamDocument";
import { resourceRule, securityHub } from "./rule";

const ISSUER = "token.actions.githubusercontent.com";

export const trustExact = resourceRule({
  name: "role-trust-exact",
  description: "Roles should trust named principals, and GitHub Actions jobs by the exact subject of their token",
  enforcementLevel: "mandatory",
  severity: "critical",
  remediationSteps:
    `Compare ${ISSUER}:sub by StringEquals with the whole subject (repo:OWNER/NAME:ref:refs/heads/main, ` +
    `:environment:NAME together with ${ISSUER}:ref, or :pull_request) and ${ISSUER}:aud with sts.amazonaws.com, or use GithubActionsAccess, which does.`,
  url: "https://docs.github.com/en/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws",
  types: ["aws:iam/role:Role"],
  check: ({ props }, report) => {
    for (const statement of statementsOf(props["assumeRolePolicy"]).filter(({ effect }) => effect === "Allow")) {
      const { principals, condition } = statement;
      if (principals.some(({ name }) => name === "*") && Object.keys(condition).length === 0)
        report("assumeRolePolicy lets everyone take the role.");
      if (principals.some(({ kind, name }) => kind === "Federated" && name.endsWith(ISSUER)))
        tokenProblems(statement).forEach(report);
    }
  },
});

function tokenProblems({ condition }: Statement): string[] {
  const compared = (claim: string) =>
    Object.entries(condition).flatMap(([operator, keys]) =>
      list(keys[`${ISSUER}:${claim}`] as string | string[] | undefined).map((value) => ({ operator, value })),
    );
  const subjects = compared("sub");
  // In StringEquals a star is only a star.
  const patterns = subjects.filter(({ operator, value }) => !operator.endsWith("StringEquals") && /[*?]/.test(value));
  // A job of any branch may name an environment, and GitHub makes one without rules that nobody made.
  const anyBranch = compared("ref").length === 0 && subjects.some(({ value }) => value.includes(":environment:"));
  return [
    ...(anyBranch ? ["assumeRolePolicy trusts an environment and names no branch (ref)."] : []),
    ...(subjects.length === 0
      ? ["assumeRolePolicy names no subject: every repository on GitHub can take the role."]
      : []),
    ...patterns.map(({ value }) => `assumeRolePolicy takes every subject like ${JSON.stringify(value)}.`),
    ...(compared("aud").length === 0 ? ["assumeRolePolicy names no audience."] : []),
  ];
}

export const noFullAdministrator = resourceRule({
  name: "no-full-administrator",
  description: "No role or user should be allowed everything in the account",
  enforcementLevel: "mandatory",
  severity: "high",
  framework: securityHub("IAM.1", 'IAM policies should not allow full "*" administrative privileges'),
  tags: ["CIS AWS Foundations Benchmark v1.4.0/1.16"],
  remediationSteps: "List the actions that the program calls, as GithubActionsAccess does.",
  url: "https://docs.aws.amazon.com/securityhub/latest/userguide/iam-controls.html#iam-1",
  types: /^aws:iam\/(?:policy|rolePolicy|userPolicy|groupPolicy|\w*[pP]olicyAttachment):/,
  check: ({ props }, report) => {
    if ("policyArn" in props && String(props["policyArn"]).endsWith(":aws:policy/AdministratorAccess"))
      report("AdministratorAccess is attached.");
    if (!("policy" in props)) return;
    const all = statementsOf(props["policy"]).some(
      ({ effect, actions, resources }) =>
        effect === "Allow" && actions.some((one) => ["*", "*:*"].includes(one)) && resources.includes("*"),
    );
    if (all) report("A statement allows every action on every resource.");
  },
});
