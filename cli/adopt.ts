import { start } from "./common/command";
import { adopt } from "./adopt/run";

void start(adopt);
