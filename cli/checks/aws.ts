import { existsSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { AwsClient } from "aws4fetch";
import { ask, textField } from "./http";
import { failed, ok, type Result } from "./result";
import { failureOf, findProgram, type Surroundings } from "./surroundings";

/**
 * Asks AWS whose credentials these are, of those that the provider will use: a profile of the stack's configuration goes
 * before keys in the environment, and these before AWS_PROFILE. Keys are tried directly; everything else that AWS knows
 * (profiles, single sign-on, roles) is the AWS CLI's business.
 */
export async function checkAws(around: Surroundings, region: string, profile: string): Promise<Result> {
  const { env } = around;
  if (OTHER_PARTITION.test(region)) {
    return failed(
      "AWS",
      `${region} is in a partition of AWS (China, GovCloud, sovereign clouds) in which NixOS publishes no images`,
      "Use a region of the public one: pulumi config set aws:region us-east-1",
    );
  }
  const accessKeyId = env["AWS_ACCESS_KEY_ID"] ?? "";
  const secretAccessKey = env["AWS_SECRET_ACCESS_KEY"] ?? "";
  if (profile !== "") return askProfile(around, profile, accessKeyId !== "" || secretAccessKey !== "");
  if (accessKeyId !== "" && secretAccessKey !== "") {
    return askSts(around, region, { accessKeyId, secretAccessKey, sessionToken: env["AWS_SESSION_TOKEN"] });
  }
  const half = accessKeyId !== "" || secretAccessKey !== "";
  if (findProgram(env, "aws") !== undefined && !half) return askCli(around, [], {}, "");
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
async function askSts(around: Surroundings, region: string, keys: Keys): Promise<Result> {
  const { env } = around;
  const endpoint = env["AWS_ENDPOINT_URL_STS"] ?? env["AWS_ENDPOINT_URL"] ?? `https://sts.${region}.amazonaws.com`;
  const client = new AwsClient({ ...keys, service: "sts", region, retries: 0 });
  const request = await client.sign(`${endpoint.replace(/\/$/, "")}/`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", accept: "application/json" },
    body: "Action=GetCallerIdentity&Version=2011-06-15",
  });
  const answer = await ask(
    request.url,
    { method: "POST", headers: request.headers, body: await request.text() },
    around.patienceSeconds,
  );
  if (answer.status === 200) {
    const result = (name: string) =>
      textField(answer.body, "GetCallerIdentityResponse", "GetCallerIdentityResult", name);
    return ok(
      "AWS",
      `${result("Arn") || "credentials accepted"} (keys of the environment${env["AWS_PROFILE"] ? ", which go before AWS_PROFILE" : ""})`,
    );
  }
  if (answer.status === 0) {
    return failed(
      "AWS",
      `${new URL(endpoint).host}: ${answer.trouble}`,
      "Check the network and the region's name, then run this again.",
    );
  }
  const code = textField(answer.body, "Error", "Code");
  return failed(
    "AWS",
    `AWS refuses the keys of the environment (${answer.status}${code && ` ${code}`})`,
    remedyFor(code, answer.status),
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
async function askProfile(around: Surroundings, profile: string, hasKeys: boolean): Promise<Result> {
  const beside = hasKeys ? "; the keys in the environment are another identity, and not used" : "";
  if (findProgram(around.env, "aws") === undefined) {
    return failed(
      "AWS",
      `the profile ${profile} of the stack's configuration can be tried only with the AWS CLI, which is not there${beside}`,
      "Install the AWS CLI, or use the keys of the environment: pulumi config rm aws:profile",
    );
  }
  const keys = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, AWS_SESSION_TOKEN: undefined };
  return askCli(around, ["--profile", profile], { ...keys, AWS_PROFILE: profile }, `, profile ${profile}${beside}`);
}

async function askCli(around: Surroundings, options: string[], env: NodeJS.ProcessEnv, whose: string): Promise<Result> {
  const ran = await around.run("aws", ["sts", "get-caller-identity", "--output", "json", ...options], { env });
  if (ran.code === 0) {
    const arn = /"Arn": *"([^"]+)"/.exec(ran.stdout)?.[1];
    return ok("AWS", `${arn ?? "credentials accepted"} (AWS CLI${whose})`);
  }
  return failed("AWS", `${failureOf("aws", ran)}${whose === "" ? "" : ` (AWS CLI${whose})`}`, WAYS);
}
