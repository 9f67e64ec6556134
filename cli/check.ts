import { check } from "./check/run";
import { runCli } from "./common/command";
import { realSurroundings } from "./common/context";

// The program's own prints are caught while it runs in this process, so this writes past the console.
void runCli(realSurroundings(), (around) =>
  check(process.argv.slice(2), around, (text) => void process.stdout.write(`${text}\n`)),
);
