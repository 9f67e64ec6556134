import { spawnSync } from "node:child_process";
import path from "node:path";
import { WAIT_MILLISECONDS } from "../limits.cjs";
import { ROOT } from "../project";

/** The folder of the flake. */
export const flakeFolder = path.join(ROOT, "nix");

/** Flakes in place of nixpkgs and sops-nix, by their names; see nixpkgs/flake.nix for what they cannot prove. */
export const STAND_INS = __dirname;

/** Why no Nix file can be looked at here, or undefined. */
export function nixMissing(): string | undefined {
  const { status } = spawnSync("nix-instantiate", ["--version"]);
  return status === 0 ? undefined : "there is no Nix on PATH (Debian: apt-get install nix-bin)";
}

/** Settings of an owner, by default, as `npm run setup` writes them. */
export const configured = { pulumiNixos: { enable: true, repository: { owner: "octocat", name: "site" } } };

/** Evaluates an expression over `e`, the evaluated modules, and gives its value. */
export function evaluateModules(expression: string, configuration: object = configured, modules?: string[]): unknown {
  const list = `modules = [ ${(modules ?? ["modules"]).map((name) => path.join(flakeFolder, name)).join(" ")} ];`;
  const result = nixInstantiate(
    `let e = import ${__dirname}/modules.nix { ${list} configuration = ${nixString(JSON.stringify(configuration))}; }; in ${expression}`,
  );
  if (result.status !== 0) throw new Error(result.stderr);
  return JSON.parse(result.stdout) as unknown;
}

/** Evaluates an expression strictly; the store is only read. */
export function nixInstantiate(expression: string) {
  return spawnSync("nix-instantiate", ["--eval", "--strict", "--json", "--expr", expression], {
    encoding: "utf8",
    timeout: WAIT_MILLISECONDS,
    env: { ...process.env, NIX_CONFIG: "build-users-group =" },
  });
}

/** A string literal of the Nix language. */
export function nixString(text: string): string {
  return `"${text.replace(/[\\"$]/g, "\\$&").replace(/\n/g, "\\n")}"`;
}
