import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Refusal, ReleaseRecord } from "../../components/release/record.mjs";
import { newKey, type TestKey } from "../../cli/rehearse/keys";

/** What one asks a record for. */
export const WANTED = {
  repository: "octocat/server",
  branch: "feature/x",
  attribute: "default",
  now: 1_800_000_000,
  /** The number of the newest record that was seen before. */
  highest: 41,
};

/** A record as it should be, released a minute ago. */
export function goodRecord(changes: Partial<Record<keyof ReleaseRecord, unknown>> = {}): Record<string, unknown> {
  return {
    version: 1,
    state: "released",
    repository: WANTED.repository,
    repositoryId: 123456,
    branch: WANTED.branch,
    attribute: WANTED.attribute,
    revision: "b".repeat(40),
    previousRevision: "a".repeat(40),
    tip: "b".repeat(40),
    republished: false,
    system: `/nix/store/${"0123456789abcdfghijklmnpqrsvwxyz"}-nixos-system-server-26.05`,
    number: 42,
    time: WANTED.now - 60,
    validUntil: WANTED.now + 7 * 24 * 3600,
    run: "https://github.com/octocat/server/actions/runs/1",
    ...changes,
  };
}

/** An envelope, and why it is refused; undefined: it is taken. */
export interface RecordCase {
  name: string;
  envelope: Buffer;
  refused?: Refusal;
}

/** The table for every program that reads records, with a key of today: `trusted` is the one that they are to trust. */
export interface RecordTable {
  trusted: TestKey;
  cases: RecordCase[];
}

/** Signs as CI does, with the real program, but also what CI would never sign. */
export function signText(text: string, key: TestKey, namespace = "nixos-release"): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), "sign-"));
  try {
    const file = path.join(folder, "key");
    writeFileSync(file, key.privateKeyOpenssh, { mode: 0o600 });
    return execFileSync("ssh-keygen", ["-Y", "sign", "-q", "-f", file, "-n", namespace], {
      input: text,
      encoding: "utf8",
      stdio: ["pipe", "pipe", "pipe"],
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Makes the table. Nothing of it is stored: a signed record in the repository would be one that somebody could replay. */
export function recordTable(): RecordTable {
  const trusted = newKey();
  const stranger = newKey();
  const seal = (record: string, signature: string) => Buffer.from(JSON.stringify({ record, signature }));
  const signed = (record: unknown, key = trusted, namespace?: string) => {
    const text = typeof record === "string" ? record : JSON.stringify(record);
    return seal(text, signText(text, key, namespace));
  };
  const taken = (name: string, record: unknown): RecordCase => ({ name, envelope: signed(record) });
  const refused = (refusal: Refusal, name: string, envelope: Buffer): RecordCase => ({
    name,
    envelope,
    refused: refusal,
  });
  const changed = (refusal: Refusal, name: string, changes: Parameters<typeof goodRecord>[0]) =>
    refused(refusal, name, signed(goodRecord(changes)));
  const without = (member: string) =>
    Object.fromEntries(Object.entries(goodRecord()).filter(([name]) => name !== member));

  const good = JSON.stringify(goodRecord());
  const signature = signText(good, trusted);
  const other = JSON.stringify(goodRecord({ number: 43 }));

  const cases = [
    taken("a release", goodRecord()),
    taken("one with its members in another order", Object.fromEntries(Object.entries(goodRecord()).reverse())),
    taken("one of a repository whose number nobody knows, by no job", goodRecord({ repositoryId: null, run: null })),
    taken("one of the repository in other letters", goodRecord({ repository: "OctoCat/Server" })),
    taken("the first one", goodRecord({ previousRevision: null })),
    taken("an older revision, republished", goodRecord({ revision: "a".repeat(40), republished: true })),
    taken("one of a repository with SHA-256", goodRecord({ revision: "c".repeat(64), tip: "c".repeat(64) })),
    taken("one from the edge of what clocks may differ", goodRecord({ time: WANTED.now + 300 })),
    taken("one in its last second", goodRecord({ validUntil: WANTED.now + 1 })),
    taken("a start", goodRecord({ state: "started", system: null, number: null })),
    taken("a failure", goodRecord({ state: "failed", system: null, number: null })),

    refused("size", "one byte too many", padded(signed(goodRecord()), 16 * 1024 + 1)),
    refused("size", "a megabyte of nothing", Buffer.alloc(2 ** 20, " ")),
    refused("envelope", "nothing", Buffer.alloc(0)),
    refused("envelope", "a page of HTML", Buffer.from("<html>404</html>")),
    refused("envelope", "a cut one", seal(good, signature).subarray(0, -20)),
    refused("envelope", "a list", Buffer.from(JSON.stringify([good, signature]))),
    refused("envelope", "no signature", Buffer.from(JSON.stringify({ record: good }))),
    refused("envelope", "a record that is no text", Buffer.from(JSON.stringify({ record: goodRecord(), signature }))),
    refused("envelope", "two of them", Buffer.concat([seal(good, signature), seal(good, signature)])),
    refused("envelope", "more than the two", Buffer.from(JSON.stringify({ record: good, signature, key: "x" }))),
    refused("envelope", "bytes that are no UTF-8", Buffer.concat([Buffer.from([0xff, 0xfe]), seal(good, signature)])),

    refused("signature", "an empty signature", seal(good, "")),
    refused("signature", "a signature of something else", seal(other, signature)),
    refused("signature", "one space more in the record", seal(`${good} `, signature)),
    refused("signature", "a key that nobody knows", signed(goodRecord(), stranger)),
    refused("signature", "a signature for another purpose", signed(goodRecord(), trusted, "git")),
    refused(
      "signature",
      "a changed member under the old signature",
      seal(good.replace('"number":42', '"number":99'), signature),
    ),

    changed("version", "the next version", { version: 2 }),
    refused("version", "the next version, with members of its own", signed({ version: 2, hello: "world" })),
    changed("version", "a version that is a text", { version: "1" }),
    refused("version", "no version", signed(without("version"))),

    refused("members", "a record that is no JSON", signed("not json")),
    refused("members", "a record that is a list", signed([1])),
    refused("members", "two records in one", signed(good + good)),
    refused("members", "a member more", signed({ ...goodRecord(), hook: "rm -rf /" })),
    ...Object.keys(goodRecord())
      .filter((member) => member !== "version")
      .map((member) => refused("members", `no ${member}`, signed(without(member)))),
    changed("members", "a state that there is not", { state: "paused" }),
    changed("members", "a release without a system", { system: null }),
    changed("members", "a release without a number", { number: null }),
    changed("members", "a start with a system", { state: "started", number: null }),
    changed("members", "a short revision", { revision: "b".repeat(7), tip: "b".repeat(7) }),
    changed("members", "a revision that is an option", { revision: "--upload-pack=x", tip: "--upload-pack=x" }),
    changed("members", "a revision with a line end", { revision: `${"b".repeat(40)}\n`, tip: `${"b".repeat(40)}\n` }),
    changed("members", "a revision in large letters", { revision: "B".repeat(40), tip: "B".repeat(40) }),
    changed("members", "a system with a line end", {
      system: "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-x\n",
    }),
    changed("members", "a system and a file in it", { system: "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-x/y" }),
    changed("members", "a system outside of the store", { system: "/tmp/0123456789abcdfghijklmnpqrsvwxyz-x" }),
    changed("members", "a system with a way out of the store", {
      system: "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-x/../../../etc",
    }),
    changed("members", "a system with a second word", {
      system: "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-x --option",
    }),
    changed("members", "a system with letters that Nix does not use", {
      system: "/nix/store/eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee-x",
    }),
    changed("members", "number zero", { number: 0 }),
    changed("members", "half a number", { number: 42.5 }),
    changed("members", "a number as a text", { number: "42" }),
    changed("members", "a number that is not exact any more", { number: 2 ** 60 }),
    changed("members", "a time that is a text", { time: "now" }),
    changed("members", "an end before the beginning", { validUntil: WANTED.now - 61 }),
    changed("members", "another tip without being republished", { tip: "c".repeat(40) }),
    changed("members", "a run that is no address", { run: "javascript:alert(1)" }),

    changed("repository", "another repository", { repository: "octocat/other" }),
    changed("repository", "a repository of somebody else", { repository: "mallory/server" }),
    changed("branch", "another branch", { branch: "main" }),
    changed("branch", "a branch that only begins alike", { branch: "feature/x-2" }),
    changed("attribute", "another attribute", { attribute: "web" }),
    changed("number", "the number that was seen", { number: 41 }),
    changed("number", "an older number", { number: 7 }),
    changed("future", "a time in the future", { time: WANTED.now + 301 }),
    changed("expired", "one that has expired this second", { validUntil: WANTED.now }),
    changed("expired", "one that has expired long ago", { time: 1_000_000_000, validUntil: 1_000_000_001 }),
  ];
  return { trusted, cases };
}

/** The same envelope with spaces at its end, which JSON does not mind. */
function padded(envelope: Buffer, size: number): Buffer {
  return Buffer.concat([envelope, Buffer.alloc(size - envelope.length, " ")]);
}
