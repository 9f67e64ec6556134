import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

const HELP = `Walks the whole life of the stack on this computer, without any account: npm run rehearse -- [options]

  --json FILE   writes steps and verdicts to FILE
  --keep        leaves the temporary folder behind, and tells where it is
  --no-engine   runs the program in this process even where there is a Pulumi engine
  --no-machine  only notes the deployments even where a machine can run on this computer
  --help        shows this

The exit code is 0 if every check holds, 1 if one does not, 2 for a wrong call.`;

async function main(): Promise<number> {
  let options;
  try {
    ({ values: options } = parseArgs({
      options: {
        json: { type: "string" },
        keep: { type: "boolean", default: false },
        "no-engine": { type: "boolean", default: false },
        "no-machine": { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    return 2;
  }
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  // Loaded only now: a wrong call need not wait for Pulumi.
  const { rehearse } = await import("./rehearse/rehearse.js");
  // The program's own prints are caught while it runs in this process, so this writes past the console.
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  const rehearsal = await rehearse({
    keep: options.keep,
    engine: !options["no-engine"],
    machine: !options["no-machine"],
    say,
  });
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(rehearsal, null, 2)}\n`);
  return rehearsal.held ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: Error) => {
    console.error(error.message);
    process.exit(1);
  },
);
