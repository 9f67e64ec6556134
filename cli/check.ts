import { check } from "./check/run";
import { start } from "./common/command";

void start(check);
