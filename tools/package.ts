import * as path from "node:path";
import { buildPackage, packPackage } from "./package/build";

/** Builds the components for npm, and packs them into a file that `npm install` takes. */
async function main(): Promise<void> {
  const root = path.resolve(__dirname, "..");
  const folder = path.join(root, ".package");
  await buildPackage(root, path.join(folder, "nixos"));
  console.log(await packPackage(path.join(folder, "nixos"), folder));
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
