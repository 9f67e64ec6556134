import { adopt } from "./adopt/run";
import { realSurroundings } from "./checks/surroundings";
import { runCli } from "./main";

void runCli(realSurroundings(), (around) =>
  adopt(process.argv.slice(2), around, (text) => void process.stdout.write(`${text}\n`)),
);
