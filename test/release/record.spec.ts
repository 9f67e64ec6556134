/**
 * The release record, signed and verified by the real ssh-keygen.
 * Cannot prove: that the machine's shell refuses the same; it is run through the same table on its own.
 */
import assert from "node:assert/strict";
import { Processes } from "../../components/deploy/process.mjs";
import {
  checkRecord,
  decodeEnvelope,
  encodeRecord,
  latestKey,
  nameOf,
  numberedKey,
  numberIn,
  progressKey,
  RecordRefused,
  releaseFolder,
  type ReleaseRecord,
} from "../../components/release/record.mjs";
import { nixPublicKey, nixSecretKey, readReleaseFile, trustedName } from "../../components/release/keys.mjs";
import { openRecord, signRecord } from "../../components/release/signature.mjs";
import { nixSigningKey } from "../../components/keys/nixSigningKey";
import { newKey } from "../../cli/rehearse/keys";
import { requireCommands } from "../require";
import { goodRecord, type RecordTable, recordTable, WANTED } from "./cases";

describe("a release record", () => {
  const processes = new Processes(process.env);
  const good = goodRecord() as unknown as ReleaseRecord;
  let table: RecordTable;

  before(function () {
    requireCommands(this, "sshd", "ssh-keygen");
    table = recordTable();
  });

  it("is taken or refused for its own reason, in every case of the table", async () => {
    const kinds = new Set<string>();
    for (const { name, envelope, refused } of table.cases) {
      let found: string | undefined;
      try {
        checkRecord(await openRecord(envelope, [table.trusted.publicKeyOpenssh.trim()], processes), WANTED);
      } catch (error) {
        assert.ok(error instanceof RecordRefused, `${name}: ${String(error)}`);
        found = error.refusal;
      }
      assert.equal(found, refused, name);
      kinds.add(refused ?? "taken");
    }
    assert.equal(kinds.size, 12, "a case for each refusal");
  });

  it("is signed so that whoever has the public half reads what was meant", async () => {
    const key = newKey();
    const bytes = await signRecord(good, key.privateKeyOpenssh, processes);
    const keys = [newKey().publicKeyOpenssh.trim(), `${key.publicKeyOpenssh.trim()} release`];
    assert.deepEqual(await openRecord(bytes, keys, processes), good);
    // The same text for the same record, whatever the order of its members.
    const turned = Object.fromEntries(Object.entries(good).reverse()) as unknown as ReleaseRecord;
    assert.equal(encodeRecord(turned), decodeEnvelope(bytes).text);
  });

  it("is not signed when no machine would take it", async () => {
    const refused = signRecord({ ...good, revision: "main" }, newKey().privateKeyOpenssh, processes);
    await assert.rejects(refused, /revision is "main"/);
  });

  it("has a place of its own for every branch and attribute", () => {
    const folder = releaseFolder("feature/x", "web.example.com");
    assert.equal(folder, "releases/feature~2Fx/web.example.com/");
    assert.equal(releaseFolder("ü~2F!", "a b"), "releases/~C3~BC~7E2F~21/a~20b/");
    assert.equal(nameOf("~C3~BC~7E2F~21"), "ü~2F!");
    assert.equal(latestKey(folder), `${folder}latest.json`);
    assert.equal(progressKey(folder, "a".repeat(40)), `${folder}progress/${"a".repeat(40)}.json`);
    assert.equal(numberIn(numberedKey(folder, 12)), 12);
    for (const key of [latestKey(folder), `${folder}012.json`, `${folder}progress/1.json.json`]) {
      assert.equal(numberIn(key), undefined, key);
    }
    assert.throws(() => releaseFolder("main", ".."), /more than dots/);
  });

  it("is signed by the key that Nix signs the cache with, in another form", () => {
    const { privateKeyOpenssh, publicKeyOpenssh } = newKey();
    const publicKey = publicKeyOpenssh.trim();
    const expected = nixSigningKey("cache-1", privateKeyOpenssh);
    assert.equal(nixPublicKey("cache-1", publicKey), expected.publicKey);
    assert.equal(nixSecretKey("cache-1", privateKeyOpenssh, publicKey), expected.secretKey);
    assert.equal(trustedName(publicKey, ["other-1:AAAA", expected.publicKey]), "cache-1");
    assert.equal(trustedName(publicKey, [nixSigningKey("x", newKey().privateKeyOpenssh).publicKey]), undefined);
  });

  it("is trusted by keys that nix/release.json names, and by nothing else that could stand there", () => {
    const key = `${newKey().publicKeyOpenssh.trim()} release`;
    assert.deepEqual(readReleaseFile(JSON.stringify({ keys: [key] })), { keys: [key], required: false });
    assert.deepEqual(readReleaseFile("{}"), { keys: [], required: false });
    for (const bad of [
      "[]",
      "no",
      '{"keys":"x"}',
      JSON.stringify({ keys: [`${key}\n* ${key}`] }),
      '{"keys":["ssh-rsa AAAA"]}',
    ]) {
      assert.throws(() => readReleaseFile(bad), /nix\/release.json/, bad);
    }
  });
});
