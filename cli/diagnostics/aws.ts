import { existsSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { AwsClient } from "aws4fetch";
import { ask, textField } from "../common/http";
import { failed, ok, type Result, skipped } from "../common/result";
import { findProgram } from "../../components/deploy/path.mjs";
import { failureOf, type Context } from "../common/context";

/**
 * Asks AWS whose credentials these are, of those that the provider will use: a profile of the stack's configuration goes
 * before keys in the environment, and these before AWS_PROFILE. Keys are tried directly; everything else that AWS knows
 * (profiles, single sign-on, roles) is the AWS CLI's business.
 */
export async function checkAws(context: Context, region: string, profile: string): Promise<Result> {
  const { env } = context;
  if (OTHER_PARTITION.test(region)) {
    return failed(
      "AWS",
      `${region} is in a partition of AWS (China, GovCloud, sovereign clouds) in which NixOS publishes no images`,
      "Use a region of the public one: pulumi config set aws:region us-east-1",
    );
  }
  const accessKeyId = env["AWS_ACCESS_KEY_ID"] ?? "";
  const secretAccessKey = env["AWS_SECRET_ACCESS_KEY"] ?? "";
  if (profile !== "") return askProfile(context, profile, accessKeyId !== "" || secretAccessKey !== "");
  if (accessKeyId !== "" && secretAccessKey !== "") {
    return askSts(context, region, { accessKeyId, secretAccessKey, sessionToken: env["AWS_SESSION_TOKEN"] });
  }
  const half = accessKeyId !== "" || secretAccessKey !== "";
  if (findProgram(env, "aws") !== undefined && !half) return askCli(context, [], {}, "");
  return failed("AWS", `no credentials: ${lookedAt(env, half)}`, WAYS);
}

/** Its servers have names of their own, too. */
const OTHER_PARTITION = /^(?:cn|us-gov|us-iso[a-z]*|eu-isoe|eusc)-/;

const WAYS =
  "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN), or install the AWS CLI and run `aws configure` or `aws sso login`.";

/** What was looked at, so that nobody searches in the wrong place. */
function lookedAt(env: NodeJS.ProcessEnv, half: boolean): string {
  const file = env["AWS_SHARED_CREDENTIALS_FILE"] ?? path.join(env["HOME"] ?? os.homedir(), ".aws", "credentials");
  return [
    half
      ? "of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set"
      : "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set",
    existsSync(file) ? `${file} is there, but can be tried only with the AWS CLI` : `there is no ${file}`,
    ...(findProgram(env, "aws") === undefined ? ["there is no AWS CLI"] : []),
  ].join("; ");
}

interface Keys {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** GetCallerIdentity needs no permission: it fails only for keys that are wrong, expired or revoked. */
async function askSts(context: Context, region: string, keys: Keys): Promise<Result> {
  const { env } = context;
  const { answer, host } = await askAws(context, region, keys, "sts", "Action=GetCallerIdentity&Version=2011-06-15");
  if (answer.status === 200) {
    const result = (name: string) =>
      textField(answer.body, "GetCallerIdentityResponse", "GetCallerIdentityResult", name);
    return ok(
      "AWS",
      `${result("Arn") || "credentials accepted"} (keys of the environment${env["AWS_PROFILE"] ? ", which go before AWS_PROFILE" : ""})`,
    );
  }
  if (answer.status === 0) {
    return failed("AWS", `${host}: ${answer.trouble}`, "Check the network and the region's name, then run this again.");
  }
  const code = textField(answer.body, "Error", "Code");
  return failed(
    "AWS",
    `AWS refuses the keys of the environment (${answer.status}${code && ` ${code}`})`,
    remedyFor(code, answer.status),
  );
}

async function askAws(context: Context, region: string, keys: Keys, service: string, body: string) {
  const { env } = context;
  const own = env[`AWS_ENDPOINT_URL_${service.toUpperCase()}`] ?? env["AWS_ENDPOINT_URL"];
  const endpoint = own ?? `https://${service}.${region}.amazonaws.com`;
  const client = new AwsClient({ ...keys, service, region, retries: 0 });
  const request = await client.sign(`${endpoint.replace(/\/$/, "")}/`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", accept: "application/json" },
    body,
  });
  const init = { method: "POST", headers: request.headers, body: await request.text() };
  return { answer: await ask(request.url, init, context.patienceSeconds), host: new URL(endpoint).host };
}

/**
 * Whether the region has a default VPC, in which a machine without a subnet of its own comes. Asked with the same
 * credentials; where these may not ask, it is left open.
 */
export async function checkDefaultVpc(context: Context, region: string, profile: string): Promise<Result> {
  const { AWS_ACCESS_KEY_ID: accessKeyId = "", AWS_SECRET_ACCESS_KEY: secretAccessKey = "" } = context.env;
  let found: string | undefined;
  let trouble: string;
  if (profile === "" && accessKeyId !== "" && secretAccessKey !== "") {
    const keys = { accessKeyId, secretAccessKey, sessionToken: context.env["AWS_SESSION_TOKEN"] };
    const query = "Action=DescribeVpcs&Version=2016-11-15&Filter.1.Name=is-default&Filter.1.Value.1=true";
    const { answer } = await askAws(context, region, keys, "ec2", query);
    if (answer.status === 200 && answer.text.includes("<DescribeVpcsResponse"))
      found = /<vpcId>(vpc-[0-9a-f]{1,40})<\/vpcId>/.exec(answer.text)?.[1] ?? "";
    trouble = /<Code>([A-Za-z.]{1,80})<\/Code>/.exec(answer.text)?.[1] ?? (answer.trouble || `status ${answer.status}`);
  } else if (findProgram(context.env, "aws") === undefined) {
    trouble = "there are no keys in the environment, and no AWS CLI";
  } else {
    const filter = ["--filters", "Name=is-default,Values=true", "--query", "Vpcs[].VpcId", "--output", "text"];
    const whose = profile === "" ? [] : ["--profile", profile];
    const env = profile === "" ? {} : ofProfile(profile);
    const ran = await context.run("aws", ["ec2", "describe-vpcs", "--region", region, ...filter, ...whose], { env });
    if (ran.code === 0) found = ran.stdout.trim();
    trouble = failureOf("aws", ran);
  }
  if (found === undefined) return skipped("default VPC", `AWS did not tell whether ${region} has one: ${trouble}`);
  if (found !== "") return ok("default VPC", `${found} in ${region}`);
  return failed(
    "default VPC",
    `${region} has none, and no subnet is configured: an update would end with VPCIdNotSpecified`,
    "Make one: aws ec2 create-default-vpc. Or name a public subnet of a VPC of yours: pulumi config set --path machine.subnetId subnet-… Or use another region.",
  );
}

function remedyFor(code: string, status: number): string {
  if (/ExpiredToken|RequestExpired/.test(code))
    return "They have expired: get new ones (`aws sso login`, or your role's page).";
  if (code === "SignatureDoesNotMatch")
    return "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID, or this computer's clock is wrong.";
  if (code === "InvalidClientTokenId")
    return "The access key does not exist, was deleted, or needs AWS_SESSION_TOKEN beside it.";
  return status >= 500 ? "That is a fault at AWS: try again in a few minutes." : WAYS;
}

/** The CLI takes keys in the environment before a profile, where the provider does not: they are kept from it. */
async function askProfile(context: Context, profile: string, hasKeys: boolean): Promise<Result> {
  const beside = hasKeys ? "; the keys in the environment are another identity, and not used" : "";
  if (findProgram(context.env, "aws") === undefined) {
    return failed(
      "AWS",
      `the profile ${profile} of the stack's configuration can be tried only with the AWS CLI, which is not there${beside}`,
      "Install the AWS CLI, or use the keys of the environment: pulumi config rm aws:profile",
    );
  }
  return askCli(context, ["--profile", profile], ofProfile(profile), `, profile ${profile}${beside}`);
}

function ofProfile(profile: string): NodeJS.ProcessEnv {
  const keys = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, AWS_SESSION_TOKEN: undefined };
  return { ...keys, AWS_PROFILE: profile };
}

async function askCli(context: Context, options: string[], env: NodeJS.ProcessEnv, whose: string): Promise<Result> {
  const ran = await context.run("aws", ["sts", "get-caller-identity", "--output", "json", ...options], { env });
  if (ran.code === 0) {
    const arn = /"Arn": *"([^"]+)"/.exec(ran.stdout)?.[1];
    return ok("AWS", `${arn ?? "credentials accepted"} (AWS CLI${whose})`);
  }
  return failed("AWS", `${failureOf("aws", ran)}${whose === "" ? "" : ` (AWS CLI${whose})`}`, WAYS);
}
