// @ts-check
/**
 * Releases, as CI makes them: the workflow says when. Node alone, without any package, because whatever runs here runs
 * beside the release key.
 */
import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { DeploymentError, Interrupted, messageOf } from "../../../components/deploy/errors.mjs";
import { PrivateFolder } from "../../../components/deploy/privateFolder.mjs";
import { Processes } from "../../../components/deploy/process.mjs";
import { publicKeyOf, samePublicKey } from "../../../components/deploy/publicKey.mjs";
import { isRevision } from "../../../components/deploy/revision.mjs";
import { nixSecretKey, readCacheFile, readReleaseFile, trustedName } from "../../../components/release/keys.mjs";
import { branchFolder, nameOf } from "../../../components/release/record.mjs";
import { Branch } from "./branch.mjs";
import { Bucket } from "./bucket.mjs";
import { collect, whileUploading } from "./collect.mjs";
import { attributesOf, build, checkedOut, upload } from "./flake.mjs";
import { Publisher } from "./publisher.mjs";

const HELP = `Makes the signed releases that machines install, for every nixosConfigurations.<attribute> of nix/.

  node cli/ci/release/main.mjs started              says that CI has begun with GITHUB_SHA
  node cli/ci/release/main.mjs build                builds what is to be released, without any credentials
  node cli/ci/release/main.mjs publish              signs, uploads and releases it
  node cli/ci/release/main.mjs republish REVISION   goes back: releases an older revision under a new number
  node cli/ci/release/main.mjs renew                signs the newest releases anew, before they expire
  node cli/ci/release/main.mjs failed               says that CI has failed with GITHUB_SHA
  node cli/ci/release/main.mjs collect              deletes from the cache what no release reaches any more

Options:
  --systems FILE     where "build" keeps what it has built, for "publish" and "republish" to take
  --revision SHA     with build: another revision than the one that is checked out
  --rewritten        with publish and republish: the branch was rewritten on purpose
  --dry-run          with collect: only says what would go

Environment: GITHUB_REPOSITORY, GITHUB_REPOSITORY_ID, GITHUB_REF, GITHUB_SHA, GITHUB_RUN_ID and GITHUB_SERVER_URL, as GitHub
sets them; GITHUB_TOKEN to ask for the branch; CACHE_SUBSTITUTER; RELEASE_KEY_PARAMETER, the name of the parameter that
holds the release key; CACHE_SIGNING_KEY, while the cache changes its key.
Exit code: 0 done, or rightly not done; 1 not done; 2 for wrong options.
`;

const FLAKE = "nix";

/** Only what the command needs is asked for. @param {NodeJS.ProcessEnv} env */
function settings(env) {
  /** @param {string} name @param {RegExp} form @param {string} allowed */
  const value = (name, form, allowed) => {
    const found = env[name] ?? "";
    if (form.test(found)) return found;
    throw new DeploymentError(`${name} is ${JSON.stringify(found)}; allowed: ${allowed}.`);
  };
  return {
    repository: () => value("GITHUB_REPOSITORY", /^[^/\s]+\/[^/\s]+$/, "owner/name"),
    branch: () =>
      value("GITHUB_REF", /^refs\/heads\/./, "refs/heads/… : releases are made of a branch").slice(
        "refs/heads/".length,
      ),
    revision: () => value("GITHUB_SHA", /^([0-9a-f]{40}|[0-9a-f]{64})$/, "a revision"),
    substituter: () => value("CACHE_SUBSTITUTER", /^s3:\/\//, "the cache, s3://bucket?region=…"),
    keyParameter: () =>
      value(
        "RELEASE_KEY_PARAMETER",
        /^\/?[\w./-]+$/,
        "the name of the parameter that holds the release key (docs/releases.md)",
      ),
  };
}

/**
 * @param {string[]} argv
 * @param {NodeJS.ProcessEnv} env
 * @param {Processes} processes
 */
async function main(argv, env, processes) {
  const { values, positionals } = readLine(argv);
  const [command = "", ...rest] = positionals;
  const given = settings(env);
  const root = process.cwd();
  const folder = new PrivateFolder(env);
  const now = () => Math.floor(Date.now() / 1000);
  /** @param {string} text */
  const say = (text) => {
    process.stdout.write(`${text}\n`);
    if (env.GITHUB_STEP_SUMMARY) fs.appendFileSync(env.GITHUB_STEP_SUMMARY, `- ${text}\n`);
  };
  const bucket = () => new Bucket(given.substituter(), folder.path, processes);
  const branch = () => new Branch(root, given.branch(), processes, env.GITHUB_TOKEN);
  const file = (/** @type {string} */ name) => fs.readFileSync(path.join(root, FLAKE, name), "utf8");

  const publisher = async () => {
    // What is missing in the environment is said before anything is asked.
    const place = { bucket: bucket(), branch: branch(), repository: given.repository() };
    const { privateKey, publicKey } = await releaseKey(given.keyParameter(), processes);
    const { keys } = readReleaseFile(file("release.json"));
    if (!keys.some((key) => samePublicKey(key, publicKey))) {
      throw new DeploymentError(
        `nix/release.json does not name the key that signs, ${publicKey}: no machine would take a release of it.`,
        {
          advice: ["Add it there, merge that, and let machines take it before this key signs."],
        },
      );
    }
    const run = env.GITHUB_RUN_ID
      ? `${env.GITHUB_SERVER_URL}/${place.repository}/actions/runs/${env.GITHUB_RUN_ID}`
      : null;
    const made = new Publisher({
      ...place,
      repositoryId: Number(env.GITHUB_REPOSITORY_ID) || null,
      run,
      privateKey,
      keys,
      processes,
      now,
    });
    return { made, privateKey, publicKey };
  };

  /** @returns {Promise<Record<string, string | null>>} */
  const systems = async (/** @type {string} */ revision) => {
    if (values.systems !== undefined && command !== "build") return JSON.parse(fs.readFileSync(values.systems, "utf8"));
    const there =
      revision === given.revision()
        ? undefined
        : await checkedOut(root, FLAKE, revision, path.join(folder.path, "tree"), processes);
    try {
      const flake = there?.flake ?? `./${FLAKE}`;
      /** @type {Record<string, string | null>} */
      const built = {};
      for (const attribute of await attributesOf(flake, processes)) {
        const result = await build(flake, attribute, processes);
        built[attribute] = "system" in result ? result.system : null;
        if ("failed" in result) process.stderr.write(`${result.failed}\n`);
        say("system" in result ? `${attribute}: built ${result.system}` : `${attribute}: could not be built`);
      }
      return built;
    } finally {
      await there?.done();
    }
  };

  /** Uploads and releases; returns whether all went well. */
  const release = async (/** @type {"publish" | "republish"} */ mode, /** @type {string} */ revision) => {
    const { made, privateKey, publicKey } = await publisher();
    const built = await systems(revision);
    const name = trustedName(publicKey, readCacheFile(file("cache.json")).trustedPublicKeys);
    if (name === undefined) {
      throw new DeploymentError("nix/cache.json does not trust the release key: no machine would take what it signs.", {
        advice: ["Add it there in Nix's form (docs/releases.md), and merge that."],
      });
    }
    const own = [nixSecretKey(name, privateKey, publicKey), ...(env.CACHE_SIGNING_KEY ? [env.CACHE_SIGNING_KEY] : [])];
    const paths = Object.values(built).flatMap((system) => system ?? []);
    const run = `${env.GITHUB_RUN_ID ?? process.pid}-${env.GITHUB_RUN_ATTEMPT ?? 1}`;
    if (paths.length > 0) {
      const clock = { now, sleep: (/** @type {number} */ seconds) => processes.sleep(seconds) };
      await whileUploading(bucket(), run, () => upload(paths, given.substituter(), own, processes), clock);
    }
    let well = true;
    for (const [attribute, system] of Object.entries(built)) {
      if (system === null) {
        if (mode === "publish") await made.progress(attribute, "failed", revision);
        well = false;
        continue;
      }
      const decision = await made.publish(attribute, { mode, revision, system, rewritten: values.rewritten });
      say(told(attribute, revision, decision));
      if (decision.answer === "refuse") well = false;
    }
    return well;
  };

  try {
    switch (command) {
      case "started": {
        const { made } = await publisher();
        const revision = given.revision();
        const todo = [];
        for (const attribute of await attributesOf(`./${FLAKE}`, processes)) {
          if ((await made.newest(attribute))?.tip === revision) continue;
          await made.progress(attribute, "started", revision);
          todo.push(attribute);
        }
        say(todo.length === 0 ? `${revision} is released already` : `${revision}: begun with ${todo.join(", ")}`);
        if (env.GITHUB_OUTPUT) fs.appendFileSync(env.GITHUB_OUTPUT, `todo=${todo.length > 0}\n`);
        return 0;
      }
      case "build": {
        const built = await systems(values.revision === undefined ? given.revision() : whole(values.revision));
        if (values.systems !== undefined) fs.writeFileSync(values.systems, JSON.stringify(built));
        // With all of them failed there is nothing to publish, and one that failed is said by "publish".
        return Object.values(built).some((system) => system !== null) ? 0 : 1;
      }
      case "publish":
        return (await release("publish", given.revision())) ? 0 : 1;
      case "republish": {
        return (await release("republish", whole(rest[0]))) ? 0 : 1;
      }
      case "renew": {
        const { made } = await publisher();
        let well = true;
        for (const attribute of await releasedAttributes(bucket(), given.branch())) {
          const decision = await made.renew(attribute);
          say(told(attribute, "the newest release", decision));
          if (decision.answer === "refuse") well = false;
        }
        return well ? 0 : 1;
      }
      case "failed": {
        const { made } = await publisher();
        const revision = given.revision();
        // A flake that cannot be evaluated may be why it failed.
        const attributes = await attributesOf(`./${FLAKE}`, processes).catch(async () => [
          ...new Set(["default", ...(await releasedAttributes(bucket(), given.branch()))]),
        ]);
        for (const attribute of attributes) {
          if ((await made.newest(attribute))?.tip === revision) continue;
          await made.progress(attribute, "failed", revision);
          say(`${attribute}: ${revision} has failed`);
        }
        return 0;
      }
      case "collect": {
        const dryRun = values["dry-run"] === true;
        const plan = await collect(bucket(), { folder: path.join(folder.path, "bucket"), dryRun, now });
        if (plan === undefined) say("Nothing is collected: somebody uploads to the cache just now.");
        else {
          const size = `${(plan.bytes / 2 ** 20).toFixed(1)} MiB`;
          say(
            `${plan.remove.length} objects (${size}) ${dryRun ? "would go" : "went"}; ${plan.kept} builds of ${plan.systems} released systems stay.`,
          );
          if (plan.missing.length > 0)
            say(
              `The cache lacks ${plan.missing.length} builds that releases reach: ${plan.missing.slice(0, 10).join(", ")}`,
            );
        }
        return 0;
      }
    }
    throw new UsageError(
      `got ${JSON.stringify(command)}; allowed: started, build, publish, republish, renew, failed, collect.`,
    );
  } finally {
    folder.remove();
  }
}

class UsageError extends Error {}

/** @param {string | undefined} revision */
function whole(revision = "") {
  if (isRevision(revision)) return revision;
  throw new DeploymentError(
    `Got ${JSON.stringify(revision)}; allowed: a whole revision, such as git rev-parse prints.`,
  );
}

/** @param {string[]} argv */
function readLine(argv) {
  const options = /** @type {const} */ ({
    systems: { type: "string" },
    revision: { type: "string" },
    rewritten: { type: "boolean" },
    "dry-run": { type: "boolean" },
  });
  try {
    return parseArgs({ args: argv, options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

/** @param {string} attribute @param {string} what @param {import("./decide.mjs").Decision & { number?: number }} decision */
function told(attribute, what, { answer, why, number }) {
  if (answer === "publish") return `${attribute}: ${what} is release ${number} (${why})`;
  return answer === "nothing" ? `${attribute}: nothing to do: ${why}` : `${attribute}: not released. ${why}`;
}

/** Which attributes of the branch have a folder. @param {Bucket} bucket @param {string} branch */
async function releasedAttributes(bucket, branch) {
  const folder = branchFolder(branch);
  const names = (await bucket.list(folder)).map(({ key }) => key.slice(folder.length).split("/")[0] ?? "");
  return [...new Set(names)].map(nameOf);
}

/**
 * The key that only jobs of the branch may read. It is in this process and in files of ssh-keygen and Nix, for a moment.
 * @param {string} parameter
 * @param {Processes} processes
 */
async function releaseKey(parameter, processes) {
  const args = [
    "ssm",
    "get-parameter",
    "--name",
    parameter,
    "--with-decryption",
    "--query",
    "Parameter.Value",
    "--output",
    "text",
  ];
  const result = await processes.run("aws", args, { timeoutSeconds: 120 });
  if (result.code !== 0) {
    throw new DeploymentError(`The release key could not be read from the parameter ${parameter}.`, {
      details: result.stderr,
      advice: ["docs/releases.md says how it is made, and what the role RELEASE_ROLE_ARN needs to read it."],
    });
  }
  const privateKey = `${result.stdout.trim()}\n`;
  const publicKey = publicKeyOf(privateKey);
  if (publicKey === undefined)
    throw new DeploymentError(`The parameter ${parameter} holds no OpenSSH key without a passphrase.`);
  return { privateKey, publicKey };
}

const processes = new Processes(process.env);
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"]))
  process.on(signal, () => void processes.stop(new Interrupted(signal)));

if (process.argv.includes("--help")) process.stdout.write(HELP);
else {
  process.exitCode = await main(process.argv.slice(2), process.env, processes).catch((error) => {
    process.stderr.write(`${error instanceof DeploymentError ? error.text() : messageOf(error)}\n`);
    return error instanceof UsageError ? 2 : 1;
  });
}
