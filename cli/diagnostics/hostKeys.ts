import { readFileSync } from "node:fs";
import path from "node:path";
import { type Github, githubTrouble } from "../common/github";
import { field } from "../common/http";
import { failed, ok, type Result, skipped } from "../common/result";

/** The host keys of GitHub that the machine trusts, as known_hosts lines. */
const FILE = "nix/upgrade/github-known-hosts";

/** Compares them with those that GitHub publishes: a changed key stops every upgrade, a wrong one is a stranger's. */
export async function checkHostKeys(client: Github, folder: string): Promise<Result> {
  const answer = await client.get("/meta");
  const published = field(answer.body, "ssh_keys");
  if (answer.status !== 200 || !Array.isArray(published)) {
    return skipped("host keys", `not compared: ${githubTrouble(answer).found}`);
  }
  const pinned = pinnedKeys(readFileSync(path.join(folder, FILE), "utf8"));
  const strange = pinned.filter((key) => !published.includes(key));
  const missing = published.filter((key) => !pinned.includes(String(key)));
  if (strange.length > 0) {
    return failed(
      "host keys",
      `${FILE} has ${strange.length} that GitHub does not publish: ${strange.map(typeOf).join(", ")}`,
      "Compare with https://api.github.com/meta (ssh_keys), correct the file, and find out how they came there.",
    );
  }
  return missing.length > 0
    ? failed(
        "host keys",
        `GitHub publishes ${missing.length} that ${FILE} has not: ${missing.map(typeOf).join(", ")}`,
        "Add them from https://api.github.com/meta (ssh_keys), commit and merge while the old ones still work.",
      )
    : ok("host keys", `the ${pinned.length} of ${FILE} are those that GitHub publishes`);
}

/** `type key` of every line for github.com. */
export function pinnedKeys(knownHosts: string): string[] {
  return knownHosts
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("#"))
    .map((line) => line.trim().split(/\s+/).slice(1, 3).join(" "));
}

function typeOf(key: unknown): string {
  return String(key).split(" ")[0]!;
}
