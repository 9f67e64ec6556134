import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { command } from "../common/command";
import { failureOf, type Context } from "../common/context";
import { configurationProblems, type Project, readProjectFiles } from "../common/project";
import { counted, failed, hasFailed, note, ok, printed, type Result, skipped } from "../common/result";
import { asEngineConfig, withKeys } from "../common/stackFile";
import { InProcessDriver } from "../rehearse/drivers/inProcess";
import type { RecordedResource } from "../rehearse/drivers/driver";
import { type Evaluation, findEvaluation } from "../rehearse/evaluation";
import { copyProject, inProject } from "../rehearse/project";
import { closedEnvironment } from "../rehearse/environment";
import { createFakes } from "../rehearse/fakes";
import { Pack } from "./pack";

const HELP = `Checks a server's repository in seconds, without any account: npm test

  configuration  each Pulumi.<stack>.yaml, by the program's own rules
  secrets        that none lies open in nix/
  flake          that it evaluates, where Nix is there
  policies       that what the program makes of each stack keeps the rules of the policy pack

The exit code is 0 when nothing failed, 1 when something did, 2 for a wrong call.`;

/** The owner in whose name a repository is checked that nobody has set up. */
const OWNER = "example";

/** What only an account has: the emulated one has neither a network nor an image nor a repository of that name. */
const OF_THE_ACCOUNT = { "machine.amiId": undefined, "machine.subnetId": undefined, "repository.create": true };

/** Checks the project. */
export const check = command({ call: "npm test --", help: HELP, options: {} }, async (_, context, { say }) => {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), "check-")));
  const results: Result[] = [];
  const show = (found: Result[]) => {
    results.push(...found);
    say(printed(found));
  };
  try {
    const { projects, found } = readStacks(context.folder);
    show([...found, ...projects.map(configuration)]);
    const copy = copyProject(folder);
    for (const { repository } of projects.slice(0, 1)) writeRepository(copy, repository);
    const secrets = await searchForSecrets(context);
    show([secrets]);
    const environment = closedEnvironment(folder);
    // Nix would copy what lies open into its store, which everybody can read.
    const evaluation = secrets.outcome === "failed" ? undefined : await findEvaluation(copy, environment);
    show([evaluation?.nix ? ((await unparsed(context)) ?? flake(evaluation)) : flake(evaluation)]);
    // A configuration that is refused makes nothing that rules could look at.
    if (!hasFailed(results)) show(await policies(copy, environment, projects, evaluation?.mode === "nix"));
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
  say(`\n${counted(results)}`);
  return hasFailed(results) ? 1 : 0;
});

function readStacks(folder: string): { projects: Project[]; found: Result[] } {
  const stacks = readdirSync(folder).flatMap((file) => /^Pulumi\.([\w.-]+)\.yaml$/.exec(file)?.[1] ?? []);
  if (stacks.length === 0)
    return { projects: [], found: [note("stacks", "there is none", "npm run setup makes one.")] };
  const projects: Project[] = [];
  const found: Result[] = [];
  for (const stack of stacks) {
    try {
      projects.push(readProjectFiles(folder, stack));
    } catch (error) {
      found.push(failed(`stack ${stack}`, (error as Error).message, "Put the file right; npm run setup can write it."));
    }
  }
  if (projects[0]?.repository.owner === "")
    found.push(note("repository", "nix/repository.json names no owner yet", "npm run setup asks for it."));
  return { projects, found };
}

function configuration(project: Project): Result {
  const repository = { ...project.repository, owner: project.repository.owner || OWNER };
  const problems = configurationProblems(project, project.stackText, JSON.stringify(repository));
  const subject = `stack ${project.stack}`;
  return problems === ""
    ? ok(subject, "its configuration is valid")
    : failed(subject, problems, "`pulumi up` would stop at this.");
}

async function searchForSecrets(context: Context): Promise<Result> {
  const found = await context.run(process.execPath, [inProject("components/deploy/flakeSecrets.mjs"), "nix"]);
  if (found.code === 0) return ok("secrets", "none lies open in nix/");
  return failed("secrets", failureOf("flakeSecrets.mjs", found), "See docs/secrets.md.");
}

/** The first file that is no Nix at all: to find that, no input of the flake is needed. */
async function unparsed(context: Context): Promise<Result | undefined> {
  const files = readdirSync(path.join(context.folder, "nix"), { recursive: true, encoding: "utf8" });
  const args = files.filter((file) => file.endsWith(".nix")).map((file) => path.join("nix", file));
  const parsed = await context.run("nix-instantiate", ["--parse", ...args]);
  if (!parsed.found || parsed.code === 0) return undefined;
  const error = /error: (.*(?:\n\s+at .*)?)/.exec(parsed.stderr)?.[1] ?? failureOf("nix-instantiate", parsed);
  return failed("flake", error.replace(/\s+/g, " "), "Put the file right.");
}

function flake(evaluation: Evaluation | undefined): Result {
  if (evaluation === undefined) return skipped("flake", "not given to Nix, because of what lies open");
  if (evaluation.mode === "nix") return ok("flake", "nixosConfigurations.default evaluates");
  return evaluation.broken === undefined
    ? skipped("flake", evaluation.description)
    : failed("flake", evaluation.broken, "nix flake check ./nix --no-build --show-trace");
}

async function policies(
  copy: string,
  environment: NodeJS.ProcessEnv,
  projects: Project[],
  evaluate: boolean,
): Promise<Result[]> {
  const pack = await Pack.start();
  try {
    await pack.configureByFile();
    const results: Result[] = [];
    for (const project of projects) results.push(...(await policiesOf(pack, copy, environment, project, evaluate)));
    return results;
  } finally {
    pack.stop();
  }
}

async function policiesOf(
  pack: Pack,
  copy: string,
  environment: NodeJS.ProcessEnv,
  project: Project,
  evaluate: boolean,
): Promise<Result[]> {
  const subject = `policies, ${project.stack}`;
  const owner = project.repository.owner || OWNER;
  const namespace = `${project.name}:`;
  const others = Object.entries(asEngineConfig(project.settings)).filter(([key]) => !key.startsWith(namespace));
  const config = withKeys(
    { "aws:region": "us-east-1", "github:owner": owner, ...Object.fromEntries(others) },
    namespace,
    { ...project.own, ...OF_THE_ACCOUNT, "deployment.evaluate": evaluate },
  );
  const fakes = createFakes(owner, {
    directory: copy,
    environment,
    standIn: (_command, variables) =>
      variables["DEPLOY_HOST"] === undefined
        ? undefined
        : { stdout: JSON.stringify({ systemPath: "/nix/store/none", changed: false, rebooted: false }), stderr: "" },
  });
  let resources: RecordedResource[];
  try {
    const driver = new InProcessDriver(copy, fakes, "for the policies", { name: project.stack, others: {} });
    ({ resources } = await driver.update({ config }));
  } catch (error) {
    const { message } = error as Error;
    // A program of the owner's may use what nothing emulates; a preview checks its policies.
    if (/There is no emulator|unknown stack/.test(message)) return [skipped(subject, message)];
    return [failed(subject, `the program fails: ${message}`, "npm run rehearse -- --no-machine")];
  } finally {
    fakes.stop();
  }
  const found = await pack.all(resources.map(({ inputs: props, ...resource }) => ({ ...resource, props })));
  if (found.length === 0) return [ok(subject, `${resources.length} resources keep all of them`)];
  return found.map(({ rule, level, message }) => {
    // The rule itself comes first, then what it found, and what to do about it.
    const [about, problem = about, ...remedy] = message.split("\n");
    const make = level === "mandatory" ? failed : note;
    return make(subject, `${rule}: ${problem}`, remedy.join(" "));
  });
}

function writeRepository(copy: string, repository: Project["repository"]): void {
  const file = path.join(copy, "nix/repository.json");
  const text = JSON.parse(readFileSync(file, "utf8")) as object;
  writeFileSync(file, `${JSON.stringify({ ...text, owner: repository.owner || OWNER }, null, 2)}\n`);
}
