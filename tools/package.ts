import { command, start } from "../cli/common/command";
import * as path from "node:path";
import { buildPackage, packPackage } from "./package/build";

const HELP = "Builds the components for npm, and packs them into a file that `npm install` takes: npm run package";

void start(
  command({ call: "npm run package --", help: HELP, options: {} }, async (_line, _around, ui) => {
    const root = path.resolve(__dirname, "..");
    const folder = path.join(root, ".package");
    await buildPackage(root, path.join(folder, "nixos"));
    ui.say(await packPackage(path.join(folder, "nixos"), folder));
    return 0;
  }),
);
