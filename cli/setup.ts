import { start } from "./common/command";
import { setup } from "./setup/run";

void start(setup);
