import path from "node:path";
import { makeOrUpdate } from "./new/run";

process.exitCode = makeOrUpdate(
  process.argv.slice(2),
  path.resolve(__dirname, ".."),
  (text) => void process.stdout.write(`${text}\n`),
);
