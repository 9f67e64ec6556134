// @ts-check
// Inputs of a flake that this computer can read and the machine perhaps not: it has one key, which opens one
// repository, or one token, and none of this computer's folders, agents, helpers and password files.
import accesses from "./access/index.cjs";
import { gitEnvironment } from "./git.mjs";
import { readLock } from "./lock.mjs";
import { githubRepository } from "./revision.mjs";
import { escapeInvisible } from "./text.mjs";

/** @typedef {import("./lock.mjs").Source} Source */
/** @typedef {{ repository: string, access: string }} Machine `repository`: "owner/name" that the machine reads */

const HOSTS = { github: "github.com", gitlab: "gitlab.com", sourcehut: "git.sr.ht" };
const PATIENCE_SECONDS = 5;

/** Where to read what to do. */
export const INPUTS_ADVICE = "Ways out: docs/trouble/private-input.md.";

/**
 * One text for each input that the machine cannot read, by its address alone. Nobody is asked.
 * @param {string} folder of the flake
 * @param {Machine} machine
 */
export function privateInputs(folder, machine) {
  return (readLock(folder) ?? []).flatMap(({ name, locked, original }) => {
    const source = locked ?? original ?? {};
    const why = reason(source, machine);
    return why === undefined ? [] : [worded(name, source, why)];
  });
}

/**
 * One text for each input whose server lets nobody in without a name. One that does not answer in time tells nothing.
 * @param {string} folder of the flake
 * @param {Machine} machine
 * @param {import("./process.mjs").Processes} processes
 */
export async function closedInputs(folder, machine, processes) {
  const inputs = (readLock(folder) ?? []).map(({ name, locked, original }) => ({
    name,
    source: locked ?? original ?? {},
  }));
  const asked = inputs.map(async ({ name, source }) => {
    const url = reason(source, machine) === undefined ? openAddress(source) : undefined;
    if (url === undefined || isOwn(url, machine)) return [];
    const closed = await asksForName(url, processes).catch(() => false);
    return closed ? [worded(name, source, "its server shows it to nobody without a name")] : [];
  });
  return (await Promise.all(asked)).flat();
}

/**
 * @param {string} name
 * @param {Source} source
 * @param {string} why
 */
function worded(name, source, why) {
  return `the machine may not read the input ${escapeInvisible(JSON.stringify(name))}, ${escapeInvisible(addressOf(source))}: ${why}`;
}

/**
 * @param {Source} source
 * @param {Machine} machine
 */
function reason(source, machine) {
  const { type, url = "", path: place = "" } = source;
  if (type === "path") return place.startsWith("/") ? "it is a folder of this computer" : undefined;
  if (/^((git|hg|tarball|file)\+)?file:|^[/~]/.test(url)) return "it is a folder of this computer";
  if (/^((git|hg)\+)?ssh:|^[^/:@]+@[^/:]+:/.test(url)) {
    return accesses.accessBy(machine.access).sshInputRefused(isOwn(url, machine));
  }
  if (/^[a-z+]+:\/\/[^/@]*@/.test(url))
    return "its address holds a name or a password, which the lock file shows to everybody";
  if (/[?&](access_token|private_token|token|auth|key)=/i.test(url)) {
    return "its address holds a token, which the lock file shows to everybody";
  }
  return undefined;
}

/**
 * Whether it is the repository that the machine reads anyway.
 * @param {string} url
 * @param {Machine} machine
 */
function isOwn(url, { repository }) {
  const address = url.replace(/^git\+/, "").replace(/[?#].*$/, "");
  return githubRepository(address)?.toLowerCase() === repository.toLowerCase();
}

/**
 * The https address of an input that everybody may be able to read.
 * @param {Source} source
 */
function openAddress({ type = "", url = "", owner = "", repo = "", host }) {
  if (type === "git")
    return /^(git\+)?https?:/.test(url) ? url.replace(/^git\+/, "").replace(/[?#].*/s, "") : undefined;
  const server = host ?? HOSTS[/** @type {keyof typeof HOSTS} */ (type)];
  return server === undefined ? undefined : `https://${server}/${owner}/${repo}`;
}

/** @param {Source} source */
function addressOf({ type = "", url, owner = "", repo = "", path: place, host }) {
  if (url !== undefined)
    return url.replace(/\/\/[^/@]*@/, (user) => (/^\/\/git@$/.test(user) ? user : "//…@")).replace(/\?.*/s, "");
  return place !== undefined ? `path:${place}` : `${type}:${owner}/${repo}${host === undefined ? "" : ` on ${host}`}`;
}

/**
 * @param {string} url
 * @param {import("./process.mjs").Processes} processes
 */
async function asksForName(url, processes) {
  // Without what this computer knows: configuration, credential helpers, ~/.netrc.
  const env = {
    ...gitEnvironment(processes.env),
    ...{ HOME: "/nonexistent", XDG_CONFIG_HOME: "/nonexistent", GIT_ASKPASS: "", SSH_ASKPASS: "" },
    ...{ GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null", GIT_CONFIG_COUNT: "0" },
  };
  const result = await processes.run("git", ["-C", "/", "ls-remote", "--quiet", url, "HEAD"], {
    env,
    timeoutSeconds: PATIENCE_SECONDS,
  });
  return (
    result.code !== 0 &&
    /could not read Username|Authentication failed|terminal prompts disabled|repository .* not found|returned error: 40[13]/i.test(
      result.stderr,
    )
  );
}
