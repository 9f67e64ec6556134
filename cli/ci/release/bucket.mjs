// @ts-check
/** The cache's bucket, by the AWS CLI, which every runner has: no package is loaded beside the release key. */
import fs from "node:fs";
import path from "node:path";
import { DeploymentError } from "../../../components/deploy/errors.mjs";

/** @typedef {import("../../../components/deploy/process.mjs").Processes} Processes */
/** @typedef {{ bytes: Buffer, etag: string }} Stored */
/** @typedef {{ key: string, size: number, modified: number }} Listed `modified` in seconds since 1970 */

/** Answers of S3 to a conditional write that lost: to another one, or to one that is on its way. */
const LOST = /\((?:PreconditionFailed|ConditionalRequestConflict|NoSuchKey|412|409)\)/;
const MISSING = /\((?:NoSuchKey|404|Not Found)\)/;

const SECONDS = 300;
/** As many keys as S3 deletes at once. */
const MOST_KEYS = 1000;

export class Bucket {
  /** @type {string[]} */
  #place;

  /**
   * @param {string} substituter `s3://bucket?region=…`, as Nix reads it
   * @param {string} folder a private one for what is sent and received
   * @param {Processes} processes
   */
  constructor(substituter, folder, processes) {
    const url = URL.canParse(substituter) ? new URL(substituter) : undefined;
    if (url?.protocol !== "s3:" || url.hostname === "") {
      throw new DeploymentError(`CACHE_SUBSTITUTER is ${JSON.stringify(substituter)}; allowed: s3://bucket?region=…`);
    }
    const [region, endpoint] = [url.searchParams.get("region"), url.searchParams.get("endpoint")];
    this.name = url.hostname;
    this.#place = [
      ...(region === null ? [] : ["--region", region]),
      ...(endpoint === null ? [] : ["--endpoint-url", endpoint]),
    ];
    this.folder = folder;
    this.processes = processes;
  }

  /** @param {string[]} args */
  #aws(args) {
    // Version 2 of the CLI would show an answer in a pager.
    const env = { ...this.processes.env, AWS_PAGER: "" };
    return this.processes.run("aws", [...args, ...this.#place], { timeoutSeconds: SECONDS, env });
  }

  /** @param {string} call @param {string[]} args */
  async #must(call, args) {
    const result = await this.#aws(["s3api", call, "--bucket", this.name, ...args]);
    if (result.code === 0) return result;
    throw new DeploymentError(`The bucket ${this.name} did not answer ${call}.`, { details: result.stderr });
  }

  /**
   * An object and the tag of what was read; undefined where there is none.
   * @param {string} key
   * @returns {Promise<Stored | undefined>}
   */
  async get(key) {
    const file = path.join(this.folder, "received");
    const result = await this.#aws([
      "s3api",
      "get-object",
      "--bucket",
      this.name,
      "--key",
      key,
      "--output",
      "json",
      file,
    ]);
    if (result.code !== 0 && MISSING.test(result.stderr)) return undefined;
    if (result.code !== 0)
      throw new DeploymentError(`${key} of the bucket ${this.name} could not be read.`, { details: result.stderr });
    const bytes = fs.readFileSync(file);
    fs.rmSync(file);
    return { bytes, etag: /** @type {{ ETag: string }} */ (JSON.parse(result.stdout)).ETag };
  }

  /**
   * Writes an object; false when the condition did not hold.
   * @param {string} key
   * @param {Uint8Array} bytes
   * @param {{ absent?: boolean, etag?: string }} [condition] that there is none yet; that it is still the one that was read
   */
  async put(key, bytes, { absent = false, etag } = {}) {
    const file = path.join(this.folder, "sent");
    fs.writeFileSync(file, bytes);
    const condition = absent ? ["--if-none-match", "*"] : etag === undefined ? [] : ["--if-match", etag];
    const args = ["--key", key, "--body", file, "--content-type", "application/json", "--cache-control", "no-store"];
    const result = await this.#aws(["s3api", "put-object", "--bucket", this.name, ...args, ...condition]);
    if (result.code === 0) return true;
    if (condition.length > 0 && LOST.test(result.stderr)) return false;
    throw new DeploymentError(`${key} could not be written to the bucket ${this.name}.`, { details: result.stderr });
  }

  /** @param {string} key */
  async has(key) {
    const result = await this.#aws(["s3api", "head-object", "--bucket", this.name, "--key", key]);
    if (result.code === 0) return true;
    if (MISSING.test(result.stderr)) return false;
    throw new DeploymentError(`${key} of the bucket ${this.name} could not be asked for.`, { details: result.stderr });
  }

  /**
   * @param {string} prefix
   * @returns {Promise<Listed[]>}
   */
  async list(prefix) {
    const query = "Contents[].[Key, Size, LastModified]";
    const { stdout } = await this.#must("list-objects-v2", ["--prefix", prefix, "--query", query, "--output", "json"]);
    const rows = /** @type {[string, number, string][]} */ (JSON.parse(stdout) ?? []);
    return rows.map(([key, size, time]) => ({ key, size, modified: Date.parse(time) / 1000 }));
  }

  /** @param {string[]} keys in this order */
  async remove(keys) {
    for (let at = 0; at < keys.length; at += MOST_KEYS) {
      const file = path.join(this.folder, "removed");
      const Objects = keys.slice(at, at + MOST_KEYS).map((Key) => ({ Key }));
      fs.writeFileSync(file, JSON.stringify({ Objects, Quiet: true }));
      const { stdout } = await this.#must("delete-objects", ["--delete", `file://${file}`, "--output", "json"]);
      // A call that deleted some of them ends well, too.
      const { Errors = [] } = /** @type {{ Errors?: { Key: string, Message: string }[] }} */ (
        JSON.parse(stdout || "{}")
      );
      if (Errors.length > 0) {
        throw new DeploymentError(`${Errors.length} objects of ${this.name} could not be deleted.`, {
          details: Errors.map(({ Key, Message }) => `${Key}: ${Message}`).join("\n"),
        });
      }
    }
  }

  /**
   * Copies what fits one of the patterns into a folder, many at once.
   * @param {string[]} patterns
   * @param {string} folder
   */
  async download(patterns, folder) {
    const include = patterns.flatMap((pattern) => ["--include", pattern]);
    const args = ["s3", "sync", `s3://${this.name}`, folder, "--exclude", "*", ...include, "--only-show-errors"];
    const result = await this.#aws(args);
    if (result.code !== 0)
      throw new DeploymentError(`The bucket ${this.name} could not be read.`, { details: result.stderr });
  }
}
