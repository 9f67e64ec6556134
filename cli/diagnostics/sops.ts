import { ok, note, type Result } from "../common/result";
import { firstLine, type Context } from "../common/context";
import { UserError } from "../common/userError";
import { findSops, isRecent, sopsVersion } from "../secrets/sops";

/** Only `npm run secrets` needs it: what that takes is what counts. */
export async function checkSops(context: Context): Promise<Result> {
  const version = await sopsVersion(context);
  if (isRecent(version)) return ok("sops", firstLine(version.stdout));
  const found = version.found
    ? `${firstLine(version.stdout) || "does not answer to --version"}, too old`
    : "not on PATH";
  try {
    await findSops(context);
    return ok("sops", `${found}; \`npm run secrets\` takes it from Nix`);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return note(
      "sops",
      error.message.split("\n")[0]!,
      "Only secrets need it. Install it from https://getsops.io, or install Nix.",
    );
  }
}
