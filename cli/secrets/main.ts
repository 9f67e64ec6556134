import { parseArgs } from "node:util";
import { counted, hasFailed, printed } from "../common/result";
import { realSurroundings } from "../common/context";
import { secretsResults } from "./check";
import { edit } from "./edit";
import { init } from "./init";
import { type Person, personAtTerminal } from "../common/person";
import { Refusal } from "../common/refusal";
import { rotate } from "./rotate";
import { set } from "./set";
import { token } from "./token";
import { type Workplace, workplace } from "./workplace";

const USAGE = `Secrets of the machine: encrypted in nix/secrets.yaml, opened by the machine's own key.

  npm run secrets -- init           who can open them: the machine and you (after the first pulumi up)
  npm run secrets -- set NAME       store one; the value is asked for, or comes from standard input
  npm run secrets -- token          store the GitHub token that the machine reads its repository with
  npm run secrets -- edit           open all of them in your editor
  npm run secrets -- check          say what is wrong; writes nothing
  npm run secrets -- rotate         change the machine's key, step by step; run it again after each

  --yes                             agree to every question
  --recipient age1…  (init)         the machine's recipient, instead of asking the stack; "-": standard input
  --name NAME        (init)         whose this computer's key is
  --installed        (rotate)       the machine runs what is here, though it does not say so

See docs/secrets.md.`;

const OPTIONS = {
  help: { type: "boolean", short: "h" },
  yes: { type: "boolean" },
  recipient: { type: "string", multiple: true },
  name: { type: "string" },
  installed: { type: "boolean" },
} as const;

type Values = ReturnType<typeof parsed>["values"];

const COMMANDS: Record<string, (place: Workplace, name: string | undefined, values: Values) => Promise<void | number>> =
  {
    init: (place, _, values) => init(place, values),
    set: (place, name) => set(place, name),
    token: (place) => token(place),
    edit: (place) => edit(place),
    check,
    rotate: (place, _, values) => rotate(place, values),
  };

/** Runs one subcommand and returns the exit code. */
export async function main(
  args: string[],
  place: (person: Person) => Workplace = (person) => workplace(realSurroundings(), person),
  personOf: (yes: boolean) => Person = personAtTerminal,
): Promise<number> {
  try {
    const { values, positionals } = parsed(args);
    const [name, ...rest] = positionals;
    if (values.help === true || name === undefined) {
      personOf(false).tell(USAGE);
      return values.help === true ? 0 : 2;
    }
    return (await run(name, rest, values, place(personOf(values.yes ?? false)))) ?? 0;
  } catch (error) {
    if (!(error instanceof Error) || !isForPeople(error)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

function parsed(args: string[]) {
  return parseArgs({ args, options: OPTIONS, allowPositionals: true });
}

async function run(name: string, rest: string[], values: Values, place: Workplace): Promise<void | number> {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    throw new Refusal(
      `got ${JSON.stringify(name)}; allowed: ${Object.keys(COMMANDS).join(", ")}. --help says what they do.`,
    );
  }
  // Perhaps a secret: it is not repeated, and by now it is in the shell's history.
  if (rest.length > (name === "set" ? 1 : 0)) {
    throw new Refusal(
      `${name} takes ${name === "set" ? "one NAME" : "no argument"}. A value is never an argument: it would be visible to others.`,
    );
  }
  return command(place, rest[0], values);
}

async function check(place: Workplace): Promise<number> {
  const results = await secretsResults(place);
  place.person.tell(`${printed(results)}\n${counted(results)}`);
  return hasFailed(results) ? 1 : 0;
}

/** Wrong options, Ctrl-C at a question, and what a person can put right. */
function isForPeople(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return error instanceof Refusal || error.name === "ExitPromptError" || code?.startsWith("ERR_PARSE_ARGS_") === true;
}
