import { existsSync } from "node:fs";
import path from "node:path";
import { failed, ok, type Result } from "./result";
import { failureOf, findProgram, type Surroundings } from "./context";

/**
 * The Pulumi CLI: an installed one, or that of the project's own package `pulumi`, which downloads it on first use.
 * `npm run` puts the package's before all others on PATH.
 */
export function findPulumi({ env, folder }: Surroundings): string | undefined {
  const ownPackage = path.join(folder, "node_modules", ".bin", "pulumi");
  const installed = findProgram(env, "pulumi", (place) => place.endsWith(path.join("node_modules", ".bin")));
  return installed ?? (existsSync(ownPackage) ? ownPackage : undefined);
}

/** How long any command of it may take: the first one downloads about 100 MB where the project's own package is used. */
export const PULUMI_SECONDS = 600;

/** The CLI, who is logged in, and where the state is kept. */
export async function checkPulumi(around: Surroundings): Promise<Result[]> {
  const program = findPulumi(around);
  if (program === undefined) return [failed("Pulumi", "not found", "Run `npm ci`, which brings it.")];
  const version = await around.run(program, ["version"], { timeoutSeconds: PULUMI_SECONDS });
  if (version.code !== 0) {
    return [failed("Pulumi", failureOf("pulumi", version), "Install it from https://www.pulumi.com/docs/install/.")];
  }
  return [ok("Pulumi", version.stdout.trim() || program), await checkLogin(around, program)];
}

async function checkLogin(around: Surroundings, program: string): Promise<Result> {
  const ran = await around.run(program, ["whoami", "--verbose", "--json", "--non-interactive"]);
  if (ran.code !== 0) {
    return failed(
      "Pulumi state",
      `not logged in (${failureOf("pulumi", ran).replace(/^error: /, "")})`,
      "`npx pulumi login` keeps the state in Pulumi Cloud, `npx pulumi login s3://<bucket>` in a bucket of yours, `npx pulumi login --local` on this computer (back up ~/.pulumi).",
    );
  }
  try {
    const { user, url } = JSON.parse(ran.stdout) as { user: string; url: string };
    return ok("Pulumi state", `${user} at ${url}`);
  } catch {
    return ok("Pulumi state", ran.stdout.trim().split("\n")[0] ?? "");
  }
}
