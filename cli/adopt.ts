import { adopt } from "./adopt/run";
import { realSurroundings } from "./common/context";
import { runCli } from "./common/command";

void runCli(realSurroundings(), (around) =>
  adopt(process.argv.slice(2), around, (text) => void process.stdout.write(`${text}\n`)),
);
