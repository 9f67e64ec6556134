import { doctor } from "./doctor/run";
import { runCli } from "./common/command";
import { realSurroundings } from "./common/context";

void runCli(realSurroundings(), (around) =>
  doctor(process.argv.slice(2), around, (text) => void process.stdout.write(`${text}\n`)),
);
