import { existsSync } from "node:fs";
import path from "node:path";
import { REQUIRED_CHECKS } from "../../components/values/repositoryNames";
import { command, refuse, wrong } from "../common/command";
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
import { readSecret, readStack, selectedStack, shortStackName, type Stack, stackResources } from "../common/stack";
import type { Surroundings } from "../common/context";
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
export const doctor = command(ABOUT, async ({ values: flags }, around, { say }) => {
  refuse(wrong("--port", flags.port, /^\d{1,5}$/, "a TCP port"));
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
  section("Machine", await machineSection(around, client, project, stack, { ...flags, stack: stackName }));

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

function secretsSection(around: Surroundings, stack: Stack): Promise<Result[]> {
  return secretsResults({ around, stack: { keys: () => keysIn(stack) }, sops: () => findSops(around) });
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
  flags: { stack: string; host?: string; port: string },
): Promise<Result[]> {
  const { publicIp, hostPublicKey, ageRecipients } = stack.outputs;
  if (!publicIp || !hostPublicKey || !ageRecipients) {
    const none = stack.trouble || "the stack has no machine yet";
    const lacks = stack.trouble === "" || !stack.isThere;
    return [skipped("machine", lacks ? `${none}. \`npx pulumi up\` makes it.` : none)];
  }
  let privateKey: string;
  try {
    privateKey = await readSecret(around, "privateKey", flags.stack);
  } catch (error) {
    return [skipped("machine", `the stack's key could not be read: ${(error as Error).message}`)];
  }
  const { owner, name, branch, access } = repository;
  const tip = await branchRevision(client, `${owner}/${name}`, branch);
  return checkMachine(
    around,
    {
      host: flags.host ?? publicIp,
      port: Number(flags.port),
      hostKey: hostPublicKey,
      privateKey,
    },
    {
      ageRecipients,
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
