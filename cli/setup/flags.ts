import { ACCESSES } from "../../components/deploy/access/index.cjs";
import { problem, quote } from "../../components/values/errors";
import type { Line } from "../common/command";
import { CHOICE_RULES, type SetupChoices, parseNetworks } from "./choices";

export const HELP = `Sets up a stack: asks, checks what it needs, shows the changes, and writes nix/repository.json and
Pulumi.<stack>.yaml, and garnix.yaml for garnix. Can be run again at any time.

  npm run setup                        asks
  npm run setup -- --yes [flags]       asks nothing; what neither a flag nor the files say is an error

  --owner <name>            GitHub user or organization
  --repository <name>       GitHub repository, also as owner/name
  --create | --adopt        whether \`pulumi up\` creates it, or uses one that exists
  --visibility <word>       private, public or internal
  --protection <word>       of the main branch: branch, ruleset or off
  --access <word>           how the machine reads the repository: ${Object.keys(ACCESSES).join(" or ")}
  --region <name>           AWS region
  --instance-type <name>    EC2 instance type, x86_64
  --ssh <networks>          who may log in: everyone, or networks such as 203.0.113.0/24, separated by commas
  --ci <word>               what checks pull requests: github-actions, garnix, hydra, other or none
  --move-keys               only gives the keys of the last version their names of today in Pulumi.<stack>.yaml
  --stack <name>            Pulumi stack (default: the selected one, or dev)

With --yes these are done only when they are asked for:
  --init-stack              create and select the stack
  --add-remote              make the repository git's remote origin; another origin is kept as upstream
  --commit                  commit these files

Exit code: 0 done and all checks passed, 1 written but a check failed, 2 nothing written.
`;

export const OPTIONS = {
  owner: { type: "string" },
  repository: { type: "string" },
  create: { type: "boolean" },
  adopt: { type: "boolean" },
  visibility: { type: "string" },
  protection: { type: "string" },
  access: { type: "string" },
  region: { type: "string" },
  "instance-type": { type: "string" },
  ssh: { type: "string", multiple: true },
  ci: { type: "string" },
  stack: { type: "string" },
  yes: { type: "boolean", default: false },
  "init-stack": { type: "boolean", default: false },
  "add-remote": { type: "boolean", default: false },
  commit: { type: "boolean", default: false },
  "move-keys": { type: "boolean", default: false },
} as const;

/** The command line, understood. */
export interface Flags {
  answers: Partial<SetupChoices>;
  stack?: string;
  yes: boolean;
  initStack: boolean;
  addRemote: boolean;
  commit: boolean;
  moveKeys: boolean;
  /** What is wrong with them, all of it. */
  problems: string[];
}

export function readFlags({ values }: Line<typeof OPTIONS>): Flags {
  const problems: string[] = [];
  if (values.create && values.adopt) problems.push("--create and --adopt: only one of them can be meant.");

  const [owner, repository] = ownerAndName(values.owner, values.repository, problems);
  const answers: Partial<SetupChoices> = {
    owner,
    repository,
    create: values.create ? true : values.adopt ? false : undefined,
    visibility: values.visibility,
    protection: values.protection,
    access: values.access,
    region: values.region,
    instanceType: values["instance-type"],
    ssh: values.ssh?.flatMap(parseNetworks),
    ci: values.ci,
  };
  for (const [name, check] of Object.entries(CHOICE_RULES)) {
    const value = answers[name as keyof SetupChoices];
    if (value !== undefined) problems.push(...check(flagFor(name as keyof SetupChoices), value as never));
  }
  if (values.stack !== undefined && !/^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+){0,2}$/.test(values.stack)) {
    problems.push(problem("--stack", quote(values.stack), "a stack's name such as dev"));
  }
  return {
    answers: Object.fromEntries(Object.entries(answers).filter(([, value]) => value !== undefined)),
    stack: values.stack,
    yes: values.yes,
    initStack: values["init-stack"],
    addRemote: values["add-remote"],
    commit: values.commit,
    moveKeys: values["move-keys"],
    problems,
  };
}

export function flagFor(name: keyof SetupChoices): string {
  if (name === "create") return "--create or --adopt";
  return name === "instanceType" ? "--instance-type" : `--${name}`;
}

function ownerAndName(owner: string | undefined, repository: string | undefined, problems: string[]) {
  const [first, second, ...rest] = repository?.split("/") ?? [];
  if (second === undefined || rest.length > 0) return [owner, repository];
  if (owner !== undefined && owner !== first) {
    problems.push(`--owner ${quote(owner)} and --repository ${quote(repository)} name two owners.`);
  }
  return [first, second];
}
