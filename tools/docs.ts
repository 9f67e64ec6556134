import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { configurationPage } from "./docs/configuration";
import { componentPages } from "./docs/pages";

/** Writes docs/components/ and docs/configuration.md anew from the descriptions in the sources. */
async function main(): Promise<void> {
  const root = path.resolve(__dirname, "..");
  const folder = path.join(root, "docs/components");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const [file, text] of await componentPages(root)) {
    writeFileSync(path.join(folder, file), text);
    console.log(path.relative(root, path.join(folder, file)));
  }
  const page = path.join(root, "docs/configuration.md");
  writeFileSync(page, await configurationPage(root));
  console.log(path.relative(root, page));
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
