import { failed, ok, type Result } from "../common/result";
import { failureOf, firstLine, type Context } from "../common/context";

/** OpenSSH's client, which deployments drive. */
export async function checkSsh(context: Context): Promise<Result> {
  const version = await context.run("ssh", ["-V"]);
  return version.code === 0
    ? ok("ssh", firstLine(version.stderr) || firstLine(version.stdout))
    : failed("ssh", failureOf("ssh", version), "Install OpenSSH's client (package openssh-client or openssh).");
}
