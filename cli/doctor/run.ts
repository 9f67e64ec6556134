import { existsSync } from "node:fs";
import path from "node:path";
import { command, refuse, wrong } from "../common/command";
import { checkDefaultVpc } from "../diagnostics/aws";
import { checkBranch, checkWorkflowBranches } from "../diagnostics/branch";
import { checkConfiguration } from "../diagnostics/configuration";
import { checkOrigin } from "../diagnostics/git";
import { checkExisting } from "../diagnostics/existing";
import { checkGithubOwner } from "../diagnostics/githubOwner";
import { checkGithubUser } from "../diagnostics/githubUser";
import { branchRevision, type Github, githubClient } from "../common/github";
import { checkHostKeys } from "../diagnostics/hostKeys";
import { checkInputs } from "../diagnostics/inputs";
import { checkLocal } from "../diagnostics/local";
import { checkMachine } from "../diagnostics/machine";
import { checkReports, checkWorkflows } from "../diagnostics/requiredChecks";
import { counted, failed, hasFailed, printed, type Result, skipped } from "../common/result";
import { readSecret, readStack, selectedStack, shortStackName, type Stack, stackResources } from "../common/stack";
import type { Context } from "../common/context";
import { secretsResults } from "../secrets/check";
import { findSops } from "../secrets/sops";
import { keysIn } from "../secrets/stack";
import { type Project, readProjectFiles, setting } from "../common/project";

const HELP = `Checks what pulumi-nixos needs, and the machine when there is one. Changes nothing.

  npm run doctor [-- --stack <name>]   the stack; default: the selected one, or dev
                    [--host <address>] the machine by another address than the stack's, such as a tunnel
                    [--port <number>]  and by another port than 22

Exit code: 0 nothing failed, 1 something did, 2 wrong arguments.
`;

const ABOUT = {
  call: "npm run doctor --",
  help: HELP,
  options: {
    stack: { type: "string" },
    host: { type: "string" },
    port: { type: "string", default: "22" },
  },
} as const;

/** Prints the checks. */
export const doctor = command(ABOUT, async ({ values: flags }, context, { say }) => {
  refuse(wrong("--port", flags.port, /^\d{1,5}$/, "a TCP port"));
  const { name: stackName, doubt } =
    flags.stack === undefined ? await selectedStack(context) : { name: flags.stack, doubt: "" };
  const project = readProjectFiles(context.folder, shortStackName(stackName));
  const results: Result[] = [];
  const section = (title: string, found: Result[]) => {
    results.push(...found);
    say(`${title}\n${printed(found)}\n`);
  };

  const { repository } = project;
  const region = text(project.settings["aws:region"]) || context.env["AWS_REGION"] || "us-east-1";
  const profile = text(project.settings["aws:profile"]);
  const local = await checkLocal(context, { branch: repository.branch, region, profile });
  section("This computer", [...local, ...(await awsSection(context, project, region, profile, local))]);

  const stack = await readStack(context, stackName);
  section("This checkout", [
    ...selection(stackName, doubt),
    checkConfiguration(project),
    await checkOrigin(context, repository.owner, repository.name),
    ...(await checkInputs(context, repository)),
    checkWorkflows(context.folder, requiredChecks(project), repository.branch),
    ...checkWorkflowBranches(context.folder, repository.branch),
  ]);
  section("Secrets", await secretsSection(context, stack));

  const client = await githubClient(context);
  section("GitHub", await githubSection(context, client, project, stackName));
  section("Machine", await machineSection(context, client, project, stack, { ...flags, stack: stackName }));

  say(counted(results));
  return hasFailed(results) ? 1 : 0;
});

function selection(name: string, doubt: string): Result[] {
  if (doubt === "") return [];
  const remedy = `What follows is about ${name}. Run this again, or name the stack: npm run doctor -- --stack <name>`;
  return [failed("stack", `which one is selected cannot be told: ${doubt}`, remedy)];
}

/** What only the stack's configuration lets ask of AWS; nothing where AWS cannot be asked at all. */
async function awsSection(
  context: Context,
  project: Project,
  region: string,
  profile: string,
  local: Result[],
): Promise<Result[]> {
  const others = ["accessKey", "secretKey", "assumeRoles", "assumeRoleWithWebIdentity"].filter(
    (key) => project.settings[`aws:${key}`] !== undefined,
  );
  if (others.length > 0) {
    const keys = others.map((key) => `aws:${key}`).join(", ");
    return [skipped("AWS provider", `it takes another identity than the one above: ${keys} of the configuration`)];
  }
  const known = local.some(({ subject, outcome }) => subject === "AWS" && outcome === "ok");
  return known && text(setting(project, "machine.subnetId")) === ""
    ? [await checkDefaultVpc(context, region, profile)]
    : [];
}

function secretsSection(context: Context, stack: Stack): Promise<Result[]> {
  return secretsResults({ context, stack: { keys: () => keysIn(stack) }, sops: () => findSops(context) });
}

async function githubSection(context: Context, client: Github, project: Project, stack: string): Promise<Result[]> {
  const { owner, name, branch } = project.repository;
  const user = await checkGithubUser(client);
  const hostKeys = await checkHostKeys(client, context.folder);
  if (owner === "") return [...user.results, hostKeys];
  const account = await checkGithubOwner(client, user, owner, name);
  const required = account.repository?.exists
    ? [await checkReports(client, `${owner}/${name}`, branch, requiredChecks(project))]
    : [];
  const pushed = account.repository?.exists ? [await checkBranch(client, `${owner}/${name}`, branch)] : [];
  const protection = text(setting(project, "repository.branchProtection"));
  const create = setting(project, "repository.create") !== false;
  const exists = account.repository?.exists === true;
  const has = exists ? await stackResources(context, stack) : undefined;
  const existing = await checkExisting(client, { owner, name, branch, create, protection, exists, stack, has });
  const off = protection === "off";
  return [...user.results, ...account.results, ...pushed, ...existing, ...(off ? [] : required), hostKeys];
}

async function machineSection(
  context: Context,
  client: Github,
  { repository }: Project,
  stack: Stack,
  flags: { stack: string; host?: string; port: string },
): Promise<Result[]> {
  const { publicIp, hostPublicKey, ageRecipients } = stack.outputs;
  if (!publicIp || !hostPublicKey || !ageRecipients) {
    const none = stack.trouble || "the stack has no machine yet";
    const lacks = stack.trouble === "" || !stack.isThere;
    return [skipped("machine", lacks ? `${none}. \`npx pulumi up\` makes it.` : none)];
  }
  let loginKey: string;
  try {
    loginKey = await readSecret(context, "loginKey", flags.stack);
  } catch (error) {
    return [skipped("machine", `the stack's key could not be read: ${(error as Error).message}`)];
  }
  const { owner, name, branch, access } = repository;
  const tip = await branchRevision(client, `${owner}/${name}`, branch);
  return checkMachine(
    context,
    {
      host: flags.host ?? publicIp,
      port: Number(flags.port),
      hostKey: hostPublicKey,
      loginKey,
    },
    {
      ageRecipients,
      access,
      branch,
      revision: "revision" in tip ? tip.revision : "",
      secretsFile: existsSync(path.join(context.folder, "nix", "secrets.yaml")),
    },
  );
}

function requiredChecks(project: Project): string[] {
  return (setting(project, "repository.requiredChecks") as unknown[]).map(String);
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
