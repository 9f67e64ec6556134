import { main } from "./secrets/main";

void main(process.argv.slice(2)).then((code) => (process.exitCode = code));
