import { existsSync } from "node:fs";
import path from "node:path";
import { secretsProblems } from "../../components/deploy/flakeSecrets.mjs";
import { failed, ok, type Result, skipped } from "./result";

/** What must not lie in nix/, and whether the machine can open what does. */
export function checkSecretsFile(folder: string, access: string, machineRecipient?: string): Result[] {
  const flake = path.join(folder, "nix");
  const problems = secretsProblems(flake, machineRecipient).map((problem) =>
    failed("secrets", problem.replace(`${folder}${path.sep}`, ""), "Do this before the next commit."),
  );
  if (problems.length > 0) return problems;
  if (existsSync(path.join(flake, "secrets.yaml"))) {
    const whom = machineRecipient === undefined ? "encrypted" : "encrypted, for this machine too";
    return [ok("secrets", `nix/secrets.yaml is ${whom}`)];
  }
  return access === "token" && machineRecipient !== undefined
    ? [
        failed(
          "secrets",
          "no nix/secrets.yaml, so the machine has no token to read its repository with",
          "npm run secrets -- init, npm run secrets -- token, commit, npx pulumi up",
        ),
      ]
    : [skipped("secrets", "no nix/secrets.yaml")];
}
