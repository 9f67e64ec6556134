import { start } from "./common/command";
import { doctor } from "./doctor/run";

void start(doctor);
