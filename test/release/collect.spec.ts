/**
 * What is collected from a cache, on made-up buckets.
 * Cannot prove: that S3 deletes in the order in which it is asked; test/system/releaseProgram.spec.ts does it on moto.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { collect, planCollection, whileUploading } from "../../cli/ci/release/collect.mjs";
import { newKey } from "../../cli/rehearse/keys";
import { goodRecord, signText } from "./cases";
import { requireCommands } from "../require";

const NOW = 1_800_000_000;
const DAY = 24 * 60 * 60;
/** As long as those of Nix, and of its letters. */
const hash = (name: string) => createHash("md5").update(name).digest("hex").replaceAll("e", "z");

/** A bucket in memory: what has which text and age in days. */
class Made {
  readonly texts = new Map<string, Buffer>();
  readonly ages = new Map<string, number>();

  put(key: string, text: string | Buffer, age = 400): this {
    this.texts.set(key, Buffer.from(text));
    this.ages.set(key, age);
    return this;
  }
  build(name: string, references: string[] = [], age = 400): this {
    const named = references.map((reference) => `${hash(reference)}-x`).join(" ");
    return this.put(`nar/${name}.nar.zst`, "nar", age).put(
      `${hash(name)}.narinfo`,
      `StorePath: /nix/store/${hash(name)}-x\nURL: nar/${name}.nar.zst\nReferences: ${named}\nSig: a:b\n`,
      age,
    );
  }
  release(number: number, name: string, folder = "main/default", age = 400): this {
    const record = JSON.stringify(goodRecord({ number, system: `/nix/store/${hash(name)}-x` }));
    return this.put(`releases/${folder}/${number}.json`, JSON.stringify({ record, signature: this.signature }), age);
  }
  constructor(readonly signature: string) {}

  plan() {
    const objects = [...this.texts].map(([key, { length: size }]) => ({
      key,
      size,
      modified: NOW - this.ages.get(key)! * DAY,
    }));
    return planCollection(objects, (key) => this.texts.get(key)!, NOW);
  }
}

describe("collecting what no release reaches", () => {
  let signature: string;
  const made = () => new Made(signature).put("nix-cache-info", "StoreDir: /nix/store\n");

  before(function () {
    requireCommands(this, "sshd", "ssh-keygen");
    signature = signText("x", newKey());
  });

  it("keeps a release that is 400 days old with all that it reaches, and lets go what is as old and unreached", () => {
    const { remove, systems, kept, missing } = made()
      .build("base")
      .build("system", ["base", "system"])
      .build("gone", ["left", "base"])
      .build("left")
      .release(1, "system")
      .plan();
    // Who names something goes before what it names, and both before their contents.
    assert.deepEqual(remove, [
      `${hash("gone")}.narinfo`,
      `${hash("left")}.narinfo`,
      "nar/gone.nar.zst",
      "nar/left.nar.zst",
    ]);
    assert.deepEqual([systems, kept, missing], [1, 2, []]);
  });

  it("keeps the last ten systems of each branch and attribute; a renewal is no other system", () => {
    const bucket = made();
    for (let at = 1; at <= 12; at++) bucket.build(`s${at}`).release(at, `s${at}`);
    for (let at = 13; at <= 40; at++) bucket.release(at, "s12");
    bucket.build("web").release(1, "web", "main/web").build("other").release(1, "other", "feature~2Fx/default");
    const { remove, systems } = bucket.plan();
    assert.deepEqual(remove, [
      ...["releases/main/default/1.json", "releases/main/default/2.json"],
      ...[`${hash("s2")}.narinfo`, `${hash("s1")}.narinfo`],
      ...["nar/s1.nar.zst", "nar/s2.nar.zst"],
    ]);
    assert.equal(systems, 12);
  });

  it("keeps what is young, and all that it needs: a release of it may be on its way", () => {
    const { remove } = made()
      .build("base")
      .build("new", ["base"], 1)
      .put("nar/half.nar.zst", "uploaded before its .narinfo", 1)
      .put("nar/cut.nar.zst", "its .narinfo never came")
      .build("system")
      .release(1, "system")
      .plan();
    assert.deepEqual(remove, ["nar/cut.nar.zst"]);
  });

  it("forgets after a month what became of a revision, and touches nothing that it does not know", () => {
    const { remove } = made()
      .build("system")
      .release(1, "system")
      .put("releases/main/default/latest.json", "x")
      .put("releases/main/default/progress/abc.json", "x", 31)
      .put("releases/main/default/progress/def.json", "x", 29)
      .put("log/abc.drv", "x")
      .put("locks/upload-1.json", "x")
      .plan();
    assert.deepEqual(remove, ["releases/main/default/progress/abc.json"]);
  });

  it("says what a release reaches and the cache lacks", () => {
    assert.deepEqual(made().build("system", ["base"]).release(1, "system").plan().missing, [hash("base")]);
  });

  it("deletes nothing where nothing is released, or where it cannot read what is", () => {
    assert.throws(() => made().build("system").plan(), /no release, so nothing is collected/);
    for (const text of ["", JSON.stringify({ record: JSON.stringify({ version: 2 }), signature: "x" })]) {
      const bucket = made().build("system").release(1, "system").put("releases/main/web/1.json", text);
      assert.throws(() => bucket.plan(), /releases\/main\/web\/1.json is no release that this program can read/);
    }
    const strange = made()
      .build("system")
      .release(1, "system")
      .put(`${hash("new")}.narinfo`, "StorePath: /x\n");
    assert.throws(() => strange.plan(), /is no .narinfo that this program can read/);
  });

  it("happens never during an upload, nor an upload during it", async () => {
    const objects = new Map<string, number>();
    const asked: string[] = [];
    const bucket = {
      put: (key: string) => (objects.set(key, Date.now() / 1000), Promise.resolve(true)),
      list: (prefix: string) =>
        Promise.resolve(
          [...objects].filter(([key]) => key.startsWith(prefix)).map(([key, modified]) => ({ key, size: 3, modified })),
        ),
      remove: (keys: string[]) => (keys.forEach((key) => objects.delete(key)), Promise.resolve()),
      download: () => (asked.push("download"), Promise.resolve()),
    };
    const now = () => Date.now() / 1000;
    const how = { folder: "/nonexistent", dryRun: false, now };
    const clock = { now, sleep: () => Promise.reject(new Error("waits")) };
    await whileUploading(
      bucket,
      "1",
      async () => assert.equal(await collect(bucket as unknown as Parameters<typeof collect>[0], how), undefined),
      clock,
    );
    assert.deepEqual([asked, [...objects]], [[], []]);

    objects.set("locks/collect.json", now());
    const waits = whileUploading(bucket, "2", () => Promise.reject(new Error("uploads")), clock);
    await assert.rejects(waits, /waits/);
    // Whoever left a mark hours ago is gone.
    objects.set("locks/collect.json", now() - 3 * 60 * 60);
    await assert.rejects(
      whileUploading(bucket, "3", () => Promise.reject(new Error("uploads")), clock),
      /uploads/,
    );
    assert.deepEqual([...objects.keys()], ["locks/collect.json"]);
  });
});
