import { problem, quote } from "../../components/values/errors";
import { type Command, command, type Line, refuse, type Ui, UsageError } from "../common/command";
import { counted, hasFailed, printed } from "../common/result";
import type { Context } from "../common/context";
import { standardInput, terminal } from "../common/prompts";
import { secretsResults } from "./check";
import { edit } from "./edit";
import { init } from "./init";
import { UserError } from "../common/userError";
import { rotate } from "./rotate";
import { set } from "./set";
import { token } from "./token";
import { type Person, type Workplace, workplace } from "./workplace";

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
  yes: { type: "boolean" },
  recipient: { type: "string", multiple: true },
  name: { type: "string" },
  installed: { type: "boolean" },
} as const;

type Values = Line<typeof OPTIONS>["values"];

const COMMANDS: Record<string, (place: Workplace, name: string, values: Values) => Promise<void | number>> = {
  init: (place, _, values) => init(place, values),
  set: (place, name) => set(place, name),
  token: (place) => token(place),
  edit: (place) => edit(place),
  check,
  rotate: (place, _, values) => rotate(place, values),
};

/** Which options are not everybody's. */
const OPTIONS_OF: Record<string, string[]> = { init: ["recipient", "name"], rotate: ["installed"] };

const ABOUT = { call: "npm run secrets --", help: USAGE, options: OPTIONS, positionals: true } as const;

/** The command with its subcommands. Tests work in a place of theirs. */
export function secretsIn(placeOf: (context: Context, person: Person) => Workplace): Command {
  return command(ABOUT, async ({ values, positionals: [name = "", ...rest] }, context, ui) => {
    const subcommand = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (subcommand === undefined)
      throw new UsageError(problem("subcommand", quote(name), Object.keys(COMMANDS).join(", ")));
    // Perhaps a secret: it is not repeated, and by now it is in the shell's history.
    if (rest.length > (name === "set" ? 1 : 0)) {
      throw new UsageError(
        `${name} takes ${name === "set" ? "one NAME" : "no argument"}. A value is never an argument: it would be visible to others.`,
      );
    }
    if (name === "set" && rest.length === 0) throw new UsageError("NAME is missing: npm run secrets -- set NAME");
    const foreign = Object.keys(values).filter((key) => key !== "yes" && OPTIONS_OF[name]?.includes(key) !== true);
    refuse(foreign.map((key) => `--${key} is not an option of ${name}.`));
    return (await subcommand(placeOf(context, personAt(ui, values.yes === true)), rest[0] ?? "", values)) ?? 0;
  });
}

export const secrets = secretsIn(workplace);

/** Who is at this computer; with `--yes` one who agrees to everything. */
function personAt({ say, prompts }: Ui, yes: boolean): Person {
  return {
    tell: say,
    async agree(question) {
      if (yes) return true;
      if (prompts === undefined)
        throw new UserError(`"${question}" cannot be asked here. Give --yes to agree beforehand.`);
      return prompts.confirm(question, false);
    },
    secret: (question) => (process.stdin.isTTY ? terminal.secret(question) : standardInput()),
  };
}

async function check(place: Workplace): Promise<number> {
  const results = await secretsResults(place);
  place.person.tell(`${printed(results)}\n${counted(results)}`);
  return hasFailed(results) ? 1 : 0;
}
