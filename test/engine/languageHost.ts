import { spawn } from "node:child_process";
import { once } from "node:events";
import * as path from "node:path";
import { createInterface } from "node:readline";

const STAND_IN = path.join(__dirname, "../../cli/rehearse/drivers/languageHost/host.mjs");

/** A language host that serves all commands of a stack. */
export interface LanguageHost {
  /** What has engines attach to it. */
  environment: { PULUMI_DEBUG_LANGUAGES: string };
  stop: () => void;
}

/**
 * Starts the stand-in for Pulumi's language host for engines to attach to. Each `up` starts two hosts otherwise, which
 * takes as long as the program itself.
 *
 * @param directory where the programs run, as an engine starts its hosts there
 */
export async function startLanguageHost(environment: NodeJS.ProcessEnv, directory: string): Promise<LanguageHost> {
  const child = spawn(process.execPath, [STAND_IN], {
    cwd: directory,
    env: environment,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`the language host ended with code ${code}`);
  });
  ended.catch(() => {});
  const [port] = (await Promise.race([once(createInterface(child.stdout), "line"), ended])) as [string];
  return { environment: { PULUMI_DEBUG_LANGUAGES: `nodejs:${port}` }, stop: () => void child.kill("SIGINT") };
}
