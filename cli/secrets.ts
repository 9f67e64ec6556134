import { start } from "./common/command";
import { secrets } from "./secrets/main";

void start(secrets);
