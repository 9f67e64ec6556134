import type { Rule } from "../deploy/rules.cjs";
import { ACCESSES } from "../deploy/access/index.cjs";
import { RULES } from "../deploy/rules.cjs";
import { type ValueRule, problem, quote } from "./errors";

/** A rule of the deployment program, as a check of an argument. */
export function byRule<T>(rule: Rule): ValueRule<T> {
  return (property, value) => {
    const refusal = rule(value);
    return refusal === undefined ? [] : [problem(property, quote(value), refusal.allowed, refusal.remedy)];
  };
}

/** A whole number from `lowest` to `highest`. */
export function wholeNumber(lowest: number, highest: number, unit: string, remedy?: string): ValueRule<number> {
  return (property, value) =>
    Number.isInteger(value) && value >= lowest && value <= highest
      ? []
      : [problem(property, quote(value), `a whole number of ${unit} from ${lowest} to ${highest}`, remedy)];
}

/** One of a few words. */
export function oneOf(words: string[], remedy?: string): ValueRule<string> {
  return (property, value) =>
    words.includes(value) ? [] : [problem(property, quote(value), words.map(quote).join(", "), remedy)];
}

/** A text of a given form. */
export function matching(pattern: RegExp, allowed: string, remedy?: string): ValueRule<string> {
  return (property, value) =>
    typeof value === "string" && pattern.test(value) ? [] : [problem(property, quote(value), allowed, remedy)];
}

/** Size of a root volume; the NixOS image's snapshot needs more than 4 GiB, and gp3 ends at 16384. */
export const rootVolumeGiB = wholeNumber(8, 16384, "GiB");

/** An AWS region, of any partition. */
export const awsRegion = matching(/^[a-z]{2,4}(-[a-z]+)+-\d$/, 'an AWS region such as "us-east-1"');

/** Id of a VPC subnet. */
export const subnetId = matching(
  /^subnet-([0-9a-f]{8}|[0-9a-f]{17})$/,
  'a subnet id such as "subnet-0123456789abcdef0"',
);

/** Who may see a repository. */
export const visibility = oneOf(["private", "public", "internal"]);

/** The kinds of protection of a branch. */
export const branchProtection = oneOf(["branch", "ruleset", "off"]);

/** How many approving reviews GitHub lets a branch require. */
export const requiredReviews = wholeNumber(0, 6, "reviews");

/** What happens to a repository that leaves the stack. */
export const onDestroy = oneOf(["archive", "retain", "delete"]);

/** What is known of the plan of a repository's owner. */
export const githubPlan = oneOf(["free", "paid", "unknown"]);

/** How a machine reads its repository. */
export const accessKind = oneOf(Object.keys(ACCESSES));

/** Name of an S3 bucket (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html), without dots. */
export const bucketName = matching(
  /^(?!xn--|sthree-)[a-z0-9][a-z0-9-]{1,61}[a-z0-9](?<!-s3alias)$/,
  "an S3 bucket name: 3 to 63 lower-case letters, digits and hyphens",
);

/** How long a binary cache keeps a build. */
export const cacheDays = wholeNumber(7, 3650, "days");

/** Name of a GitHub environment, without the signs that have a meaning in a token's subject. */
export const environmentName = matching(
  /^[A-Za-z0-9][A-Za-z0-9._ -]{0,254}$/,
  "an environment name: letters, digits, spaces, dots, hyphens and underscores",
);

/** What jobs of pull requests may do. */
export const previewsWord = oneOf(["state", "cloud", "none"]);

/** An ARN of a service, without wildcards. */
export function arnOf(service: string): ValueRule<string> {
  return matching(
    new RegExp(`^arn:aws[a-z-]*:${service}:[a-z0-9-]*:\\d*:[^*?\\s]+$`),
    `an ARN "arn:aws:${service}:…" without wildcards`,
  );
}

/** Value of a tag, without the signs that have a meaning in a policy's condition. */
export const tagValue = matching(
  /^[\p{L}\p{N} _.:/=+@-]{1,256}$/u,
  "a tag's value: 1 to 256 letters, digits, spaces and _ . : / = + - @",
);

/** GitHub's number of a user, organization or repository. */
export const githubId = wholeNumber(1, Number.MAX_SAFE_INTEGER, "GitHub's numbering");

/** Arguments that mean something only when all of them are given. */
export function allOrNone(properties: string, given: boolean[]): string[] {
  return given.every((one) => one === given[0]) ? [] : [`${properties}: only one is given. They go together.`];
}

/** A list in which no plain value stands twice: each would be a second resource of the same name. */
export const unique: ValueRule<unknown[]> = (property, values) => {
  const plain = values.filter((value) => typeof value === "string" || typeof value === "number");
  const twice = [...new Set(plain.filter((value, index) => plain.indexOf(value) !== index))];
  return twice.map((value) => problem(property, `${quote(value)} twice`, "each value once"));
};

/** Ports of a web server. Port 22 is SSH's, which the SSH networks open. */
export const httpPorts: ValueRule<number[]> = (property, values) => [
  ...values.flatMap((value, index) => byRule(RULES.sshPort)(`${property}[${index}]`, value)),
  ...(values.includes(22) ? [problem(property, "22", "ports of a web server", "SSH has networks of its own.")] : []),
  ...unique(property, values),
];
