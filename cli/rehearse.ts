import { writeFileSync } from "node:fs";
import { command, start } from "./common/command";

const HELP = `Walks the whole life of the stack on this computer, without any account: npm run rehearse -- [options]

  --json FILE   writes steps and verdicts to FILE
  --keep        leaves the temporary folder behind, and tells where it is
  --no-engine   runs the program in this process even where there is a Pulumi engine
  --no-machine  only notes the deployments even where a machine can run on this computer

The exit code is 0 if every check holds, 1 if one does not, 2 for a wrong call.`;

const ABOUT = {
  call: "npm run rehearse --",
  help: HELP,
  options: {
    json: { type: "string" },
    keep: { type: "boolean", default: false },
    "no-engine": { type: "boolean", default: false },
    "no-machine": { type: "boolean", default: false },
  },
} as const;

const rehearse = command(ABOUT, async ({ values: options }, _, { say }) => {
  // Loaded only now: a wrong call need not wait for Pulumi.
  const rehearsal = await (
    await import("./rehearse/rehearse.js")
  ).rehearse({
    keep: options.keep,
    engine: !options["no-engine"],
    machine: !options["no-machine"],
    say,
  });
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(rehearsal, null, 2)}\n`);
  return rehearsal.held ? 0 : 1;
});

// The program that ran in this process may have left something open.
void start(rehearse).then(() => process.exit());
