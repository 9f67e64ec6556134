import path from "node:path";
import { start } from "./common/command";
import { makeOrUpdate } from "./new/run";

void start(makeOrUpdate(path.resolve(__dirname, "..")));
