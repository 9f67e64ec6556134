import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { command, start } from "../cli/common/command";
import * as path from "node:path";
import { configurationPage } from "./docs/configuration";
import { componentPages } from "./docs/pages";

const HELP =
  "Writes docs/components/ and docs/configuration.md anew from the descriptions in the sources: npm run docs";

void start(
  command({ call: "npm run docs --", help: HELP, options: {} }, async (_line, _around, ui) => {
    const root = path.resolve(__dirname, "..");
    const folder = path.join(root, "docs/components");
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    for (const [file, text] of await componentPages(root)) {
      writeFileSync(path.join(folder, file), text);
      ui.say(path.relative(root, path.join(folder, file)));
    }
    const page = path.join(root, "docs/configuration.md");
    writeFileSync(page, await configurationPage(root));
    ui.say(path.relative(root, page));
    return 0;
  }),
);
