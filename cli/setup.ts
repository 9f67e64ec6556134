import { realSurroundings } from "./common/context";
import { runCli } from "./common/command";
import { terminal } from "./common/prompts";
import { setup } from "./setup/run";

const prompts = process.stdin.isTTY && process.stdout.isTTY ? terminal : undefined;

void runCli(realSurroundings(), (around) =>
  setup(process.argv.slice(2), around, { say: (text) => void process.stdout.write(`${text}\n`), prompts }),
);
