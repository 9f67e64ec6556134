import { existsSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { REQUIRED_CHECKS } from "../../components/values/repositoryNames";
import { checkDefaultVpc } from "../checks/aws";
import { checkBranch, checkWorkflowBranches } from "../checks/branch";
import { checkConfiguration } from "../checks/configuration";
import { checkOrigin } from "../checks/git";
import { checkExisting } from "../checks/existing";
import { checkGithubOwner } from "../checks/githubOwner";
import { checkGithubUser } from "../checks/githubUser";
import { branchRevision, type Github, githubClient } from "../common/github";
import { checkHostKeys } from "../checks/hostKeys";
import { checkInputs } from "../checks/inputs";
import { checkLocal } from "../checks/local";
import { checkMachine } from "../checks/machine";
import { checkReports, checkWorkflows } from "../checks/requiredChecks";
import { counted, failed, hasFailed, printed, type Result, skipped } from "../common/result";
import { readStack, selectedStack, shortStackName, type Stack, stackResources } from "../common/stack";
import type { Surroundings } from "../common/context";
import { secretsResults } from "../secrets/check";
import { Refusal } from "../common/refusal";
import { findSops } from "../secrets/sops";
import { type Project, readProjectFiles, setting } from "../common/project";

const HELP = `Checks what pulumi-nixos needs, and the machine when there is one. Changes nothing.

  npm run doctor [-- --stack <name>]   the stack; default: the selected one, or dev
                    [--host <address>] the machine by another address than the stack's, such as a tunnel
                    [--port <number>]  and by another port than 22

Exit code: 0 nothing failed, 1 something did, 2 wrong arguments.
`;

/** Prints the checks and returns the exit code. */
export async function doctor(argv: string[], around: Surroundings, say: (text: string) => void): Promise<number> {
  let flags: ReturnType<typeof readFlags>;
  try {
    flags = readFlags(argv);
  } catch (error) {
    say(`${(error as Error).message}\n\n${HELP}`);
    return 2;
  }
  if (flags.help) {
    say(HELP);
    return 0;
  }

  const { name: stackName, doubt } =
    flags.stack === undefined ? await selectedStack(around) : { name: flags.stack, doubt: "" };
  const project = readProjectFiles(around.folder, shortStackName(stackName));
  const results: Result[] = [];
  const section = (title: string, found: Result[]) => {
    results.push(...found);
    say(`${title}\n${printed(found)}\n`);
  };

  const { repository } = project;
  const region = text(project.settings["aws:region"]) || around.env["AWS_REGION"] || "us-east-1";
  const profile = text(project.settings["aws:profile"]);
  const local = await checkLocal(around, { branch: repository.branch, region, profile });
  section("This computer", [...local, ...(await awsSection(around, project, region, profile, local))]);

  const stack = await readStack(around, stackName);
  section("This checkout", [
    ...selection(stackName, doubt),
    checkConfiguration(project),
    await checkOrigin(around, repository.owner, repository.name),
    ...(await checkInputs(around, repository)),
    checkWorkflows(around.folder, requiredChecks(project), repository.branch),
    ...checkWorkflowBranches(around.folder, repository.branch),
  ]);
  section("Secrets", await secretsSection(around, stack));

  const client = await githubClient(around);
  section("GitHub", await githubSection(around, client, project, stackName));
  section("Machine", await machineSection(around, client, project, stack, flags));

  say(counted(results));
  return hasFailed(results) ? 1 : 0;
}

function readFlags(argv: string[]) {
  const { values } = parseArgs({
    args: argv,
    options: {
      stack: { type: "string" },
      host: { type: "string" },
      port: { type: "string", default: "22" },
      help: { type: "boolean", default: false },
    },
  });
  if (!/^\d{1,5}$/.test(values.port))
    throw new Error(`--port: got ${JSON.stringify(values.port)}; allowed: a TCP port.`);
  return values;
}

function selection(name: string, doubt: string): Result[] {
  if (doubt === "") return [];
  const remedy = `What follows is about ${name}. Run this again, or name the stack: npm run doctor -- --stack <name>`;
  return [failed("stack", `which one is selected cannot be told: ${doubt}`, remedy)];
}

/** What only the stack's configuration lets ask of AWS; nothing where AWS cannot be asked at all. */
async function awsSection(
  around: Surroundings,
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
  return known && text(setting(project, "subnetId")) === "" ? [await checkDefaultVpc(around, region, profile)] : [];
}

function secretsSection(around: Surroundings, { outputs, reason }: Stack): Promise<Result[]> {
  const keys = () =>
    outputs === undefined
      ? Promise.reject(new Refusal(reason))
      : Promise.resolve({ recipients: outputs.ageRecipients, loginPublicKeys: outputs.loginPublicKeys });
  return secretsResults({ around, stack: { keys }, sops: () => findSops(around) });
}

async function githubSection(around: Surroundings, client: Github, project: Project, stack: string): Promise<Result[]> {
  const { owner, name, branch } = project.repository;
  const user = await checkGithubUser(client);
  const hostKeys = await checkHostKeys(client, around.folder);
  if (owner === "") return [...user.results, hostKeys];
  const account = await checkGithubOwner(client, user, owner, name);
  const required = account.repository?.exists
    ? [await checkReports(client, `${owner}/${name}`, branch, requiredChecks(project))]
    : [];
  const pushed = account.repository?.exists ? [await checkBranch(client, `${owner}/${name}`, branch)] : [];
  const protection = text(setting(project, "protection"));
  const create = setting(project, "createRepository") !== false;
  const exists = account.repository?.exists === true;
  const has = exists ? await stackResources(around, stack) : undefined;
  const existing = await checkExisting(client, { owner, name, branch, create, protection, exists, stack, has });
  const off = protection === "off";
  return [...user.results, ...account.results, ...pushed, ...existing, ...(off ? [] : required), hostKeys];
}

async function machineSection(
  around: Surroundings,
  client: Github,
  { repository }: Project,
  stack: Stack,
  flags: { host?: string; port: string },
): Promise<Result[]> {
  if (stack.outputs === undefined)
    return [skipped("machine", stack.lacksMachine ? `${stack.reason}. \`npx pulumi up\` makes it.` : stack.reason)];
  let privateKey: string;
  try {
    privateKey = await stack.privateKey();
  } catch (error) {
    return [skipped("machine", `the stack's key could not be read: ${(error as Error).message}`)];
  }
  const { owner, name, branch, access } = repository;
  const tip = await branchRevision(client, `${owner}/${name}`, branch);
  return checkMachine(
    around,
    {
      host: flags.host ?? stack.outputs.publicIp,
      port: Number(flags.port),
      hostKey: stack.outputs.hostPublicKey,
      privateKey,
    },
    {
      ageRecipients: stack.outputs.ageRecipients,
      access,
      branch,
      revision: "revision" in tip ? tip.revision : "",
      secretsFile: existsSync(path.join(around.folder, "nix", "secrets.yaml")),
    },
  );
}

function requiredChecks(project: Project): string[] {
  const value = setting(project, "requiredChecks");
  return Array.isArray(value) ? value.map(String) : REQUIRED_CHECKS;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
