import { existsSync } from "node:fs";
import path from "node:path";
import { failed, ok, type Result } from "./result";
import { findProgram } from "../../components/deploy/path.mjs";
import { failureOf, type Ran, type Context } from "./context";

/** How long any command of it may take: the first one downloads about 100 MB where the project's own package is used. */
const PULUMI_SECONDS = 600;

/** The Pulumi CLI, on the project in the folder. */
export interface Pulumi {
  /** Where it is. */
  program: string;
  /** Runs it without questions, and says what came of it; `env` is more than the usual environment. */
  run(args: string[], env?: NodeJS.ProcessEnv): Promise<Ran>;
}

/**
 * An installed one, or that of the project's own package `pulumi`, which downloads it on first use. `npm run` puts the
 * package's before all others on PATH.
 */
export function findPulumi(context: Context): Pulumi | undefined {
  const { env, folder } = context;
  const ownPackage = path.join(folder, "node_modules", ".bin", "pulumi");
  const installed = findProgram(env, "pulumi", (place) => place.endsWith(path.join("node_modules", ".bin")));
  const program = installed ?? (existsSync(ownPackage) ? ownPackage : undefined);
  if (program === undefined) return undefined;
  return {
    program,
    async run(args, more) {
      const options = { timeoutSeconds: PULUMI_SECONDS, env: more };
      const ran = await context.run(program, [...args, "--non-interactive", "--cwd", folder], options);
      // What the package says of its download is nobody's answer, and no cause.
      return { ...ran, stderr: ran.stderr.replace(/^Downloading pulumi v.*\n/gm, "") };
    },
  };
}

export const NO_PULUMI = "The Pulumi CLI was not found. Run `npm ci`, which brings it.";

/** Why it did not do what it was asked, in one line. */
export function pulumiFailure(ran: Ran): string {
  return failureOf("pulumi", ran).replace(/^error: /, "");
}

/** The CLI, who is logged in, and where the state is kept. */
export async function checkPulumi(context: Context): Promise<Result[]> {
  const pulumi = findPulumi(context);
  if (pulumi === undefined) return [failed("Pulumi", "not found", "Run `npm ci`, which brings it.")];
  const version = await pulumi.run(["version"]);
  if (version.code !== 0) {
    return [failed("Pulumi", pulumiFailure(version), "Install it from https://www.pulumi.com/docs/install/.")];
  }
  return [ok("Pulumi", version.stdout.trim() || pulumi.program), await checkLogin(pulumi)];
}

async function checkLogin(pulumi: Pulumi): Promise<Result> {
  const ran = await pulumi.run(["whoami", "--verbose", "--json"]);
  if (ran.code !== 0) {
    return failed(
      "Pulumi state",
      `not logged in (${pulumiFailure(ran)})`,
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
