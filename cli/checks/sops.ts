import { note, ok, type Result } from "../common/result";
import { firstLine, type Surroundings } from "../common/context";

/** Only `npm run secrets` needs it, and that can also take it from Nix. */
export async function checkSops(around: Surroundings): Promise<Result> {
  const version = await around.run("sops", ["--version", "--disable-version-check"]);
  return version.code === 0
    ? ok("sops", firstLine(version.stdout))
    : note(
        "sops",
        version.found ? "does not answer to --version" : "not on PATH",
        "Only secrets need it: `npm run secrets` takes it from Nix, or install it from https://getsops.io.",
      );
}
