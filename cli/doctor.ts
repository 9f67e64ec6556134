import { doctor } from "./doctor/run";
import { runCli } from "./main";
import { realSurroundings } from "./checks/surroundings";

void runCli(realSurroundings(), (around) =>
  doctor(process.argv.slice(2), around, (text) => void process.stdout.write(`${text}\n`)),
);
