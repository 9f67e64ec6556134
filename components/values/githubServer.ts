import { problem, quote } from "./errors";

/** Emulators of tests and rehearsals listen here; no GitHub does. */
const THIS_COMPUTER = ["127.0.0.1", "localhost", "[::1]"];

/**
 * What the GitHub provider is told to talk to must be github.com: the machine follows a repository of that name there,
 * with the host keys that github.com shows, and would run a stranger's commits as root if the repository were on another
 * server. GitHub Enterprise Server and `*.ghe.com` would need their address, host keys and token issuer in the flake, in
 * the upgrade and in the roles.
 *
 * @param url undefined or empty: not set
 */
export function githubServer(property: string, url: string | undefined): string[] {
  if (url === undefined || url === "" || THIS_COMPUTER.includes(hostOf(url))) return [];
  if (["api.github.com", "github.com"].includes(hostOf(url))) return [];
  const remedy =
    "GitHub Enterprise Server and *.ghe.com are not supported: the machine follows a repository of github.com, and " +
    "one of the same name there may be a stranger's.";
  return [problem(property, quote(url), "https://api.github.com, or nothing", remedy)];
}

function hostOf(url: string): string {
  try {
    return new URL(url).hostname;
  } catch {
    return "";
  }
}
