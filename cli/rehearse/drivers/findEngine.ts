import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import * as path from "node:path";
import { findProgram, isExecutable } from "../../../components/deploy/path.mjs";
import { run } from "../processes";
import { answers } from "../reachable";

/** Where the npm package `pulumi` downloads the engine from; a computer without a network fails here at once. */
const DOWNLOADS = "https://get.pulumi.com/install.sh";
const SECONDS_TO_DOWNLOAD = 25;

/** A Pulumi CLI; or why there is none, and what a person can do. */
export type EngineSearch = { cli: string } | { reason: string; remedy: string };

/**
 * Looks for the Pulumi CLI: on PATH, then among those that the npm package `pulumi` has downloaded before; else lets
 * that package download it, to the same place as `npx pulumi` does.
 */
export async function findEngine(root: string, say: (line: string) => void): Promise<EngineSearch> {
  const found = await search(root, say);
  if ("cli" in found) return found;
  const remedy = remedyFor(root);
  say(`There is no Pulumi CLI here: ${remedy}.`);
  return { ...found, remedy };
}

async function search(root: string, say: (line: string) => void): Promise<{ cli: string } | { reason: string }> {
  // `npm run` puts the wrapper on PATH, which is no engine before it has downloaded one.
  const onPath = findProgram(process.env, "pulumi", (folder) => folder.includes("node_modules"));
  if (onPath !== undefined) return { cli: onPath };
  const wrapper = path.join(root, "node_modules/pulumi/run.js");
  if (!existsSync(wrapper)) return { reason: "no pulumi on PATH, and the npm package pulumi is not installed" };
  const { version } = JSON.parse(readFileSync(path.join(root, "node_modules/pulumi/package.json"), "utf8")) as {
    version: string;
  };
  const home = process.env["PULUMI_HOME"] ?? path.join(homedir(), ".pulumi");
  const downloaded = path.join(home, "versions", version, "bin/pulumi");
  if (isExecutable(downloaded)) return { cli: downloaded };
  if (!(await answers(DOWNLOADS))) return { reason: "no pulumi on PATH, and get.pulumi.com cannot be reached" };
  say(`downloading the Pulumi CLI ${version} to ${path.dirname(path.dirname(downloaded))}, as npx pulumi does`);
  const { code } = await run(process.execPath, [wrapper, "version"], { cwd: root, seconds: SECONDS_TO_DOWNLOAD });
  if (code === 0 && isExecutable(downloaded)) return { cli: downloaded };
  return { reason: `no pulumi on PATH, and npx pulumi could not download it in ${SECONDS_TO_DOWNLOAD} s` };
}

/** Building takes minutes, so a person is asked to. */
function remedyFor(root: string): string {
  const install = "install the Pulumi CLI (https://www.pulumi.com/docs/install)";
  const script = ".ci/install-pulumi.sh";
  if (!existsSync(path.join(root, script))) return install;
  if (findProgram(process.env, "go") === undefined) return `${install}, or Go, by which ${script} builds it`;
  return `PATH="$(bash ${script}):$PATH" in front of the command builds one with Go, in a few minutes the first time`;
}
