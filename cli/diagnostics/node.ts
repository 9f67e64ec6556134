import { readFileSync } from "node:fs";
import path from "node:path";
import semver from "semver";
import { failed, ok, type Result } from "../common/result";
import type { Context } from "../common/context";

/** The version of Node that package.json asks for. */
export function checkNode({ folder, nodeVersion }: Context): Result {
  const { engines } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8")) as {
    engines: { node: string };
  };
  return semver.satisfies(nodeVersion, engines.node)
    ? ok("Node", nodeVersion)
    : failed(
        "Node",
        `${nodeVersion}; needed: ${engines.node}`,
        "Install the current LTS release from https://nodejs.org.",
      );
}
