// Release records as the machine reads them: record.sh as it is, with the real curl, jq and ssh-keygen, over HTTP. The
// table is test/release/cases.ts. What it cannot prove: that S3 itself takes the requests (see test/release/store.ts).
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { latestKey, releaseFolder } from "../../components/release/record.mjs";
import { newKey, type TestKey } from "../../cli/rehearse/keys";
import { goodRecord, recordTable, signText, WANTED } from "../release/cases";
import { type ReleaseStore, startReleaseStore } from "../release/store";
import { Place } from "./scripts";

const upgrade = path.join(__dirname, "../../nix/upgrade");
const FOLDER = "releases/feature~2Fx/default";
const KEY = `${FOLDER}/latest.json`;
const REVISION = "b".repeat(40);

describe("a release record on the machine", () => {
  let place: Place;
  let store: ReleaseStore;
  let key: TestKey;
  const { now } = WANTED;

  before(async () => {
    place = new Place();
    store = await startReleaseStore();
    key = newKey();
    Object.assign(place.settings, {
      UPGRADE_RELEASE_SIGNERS: path.join(place.root, "signers"),
      UPGRADE_RELEASE_REPOSITORY: WANTED.repository,
      UPGRADE_BRANCH: WANTED.branch,
      UPGRADE_ATTRIBUTE: WANTED.attribute,
      UPGRADE_RELEASE_STORE: store.plain,
      UPGRADE_METADATA: `http://127.0.0.1:${store.port}`,
      UPGRADE_REQUEST_SECONDS: "5",
    });
  });
  after(async () => {
    await store?.stop();
    place?.remove();
  });
  beforeEach(() => {
    store.objects.clear();
    store.requests.length = 0;
    store.role = true;
    store.credentials.SecretAccessKey = store.secret;
    trust(key);
  });

  /** As the module writes it. */
  const trust = (...keys: TestKey[]) =>
    fs.writeFileSync(
      path.join(place.root, "signers"),
      keys.map(({ publicKeyOpenssh }) => `release namespaces="nixos-release" ${publicKeyOpenssh}`).join(""),
    );
  const seal = (record: string, signature: string) => Buffer.from(JSON.stringify({ record, signature }));

  interface Known {
    number: number;
    digest: string;
  }

  /** What read_record says: "taken", "known", "none", or the kind and the message of its trouble. */
  async function read(known?: Known, settings: Record<string, string> = {}, states = "released") {
    const { code, stdout, stderr } = await place.script(
      `source "$UPGRADE_COMMON"; source "$UPGRADE_REPOSITORY"; source ${upgrade}/record.sh; trap forget_releases EXIT
       NOW=${now} status=0; read_record "$(record_key latest.json)" "${states}" '${JSON.stringify(known ?? {})}' || status=$?
       printf '%s\\n' "$status" "$RECORD_KNOWN" "$RECORD_DIGEST" "$RECORD" "$TROUBLE"`,
      settings,
    );
    assert.equal(code, 0, stderr);
    const [status, isKnown, digest, record, trouble] = stdout.split("\n");
    if (status === "1") return { verdict: "none" };
    if (status === "0") return { verdict: isKnown === "true" ? "known" : "taken", digest, record };
    const { kind, message, fault } = JSON.parse(trouble!) as Record<string, string>;
    return { verdict: kind!.replace("release-", ""), message, fault };
  }

  const publish = (fields: Record<string, unknown> = {}, at = KEY) => {
    const record = JSON.stringify(goodRecord(fields));
    store.objects.set(at, seal(record, signText(record, key)));
    return record;
  };
  const digestOf = (record: string) => createHash("sha256").update(record).digest("hex");

  it("is taken or refused as the table says", async () => {
    const { trusted, cases } = recordTable();
    assert.ok(cases.length > 70);
    trust(newKey(), trusted);
    const reasons = new Map<string, string>();
    for (const { name, envelope, refused } of cases) {
      store.objects.set(KEY, envelope);
      const { verdict, message } = await read({ number: WANTED.highest, digest: "0" }, {}, "released started failed");
      assert.equal(verdict, refused ?? "taken", `${name}: ${message ?? ""}`);
      if (message === undefined) continue;
      // eslint-disable-next-line no-control-regex
      assert.doesNotMatch(message, /[\u0000-\u001f\u007f]|null/, name);
      const reason = message.replaceAll(/[0-9]/g, "");
      assert.equal(reasons.get(reason) ?? refused, refused, `${name} has the words of another refusal: ${message}`);
      reasons.set(reason, refused!);
    }
  });

  it("says which signature is missing, wrong, or of nobody who is trusted", async () => {
    const record = JSON.stringify(goodRecord());
    const stranger = newKey();
    const says = async (signature: string) => {
      store.objects.set(KEY, seal(record, signature));
      const { verdict, message } = await read();
      assert.equal(verdict, "signature");
      return message!;
    };
    assert.match(await says(""), /is not signed/);
    assert.match(await says(signText("x", key)), /not of these bytes/);
    assert.match(await says(signText(record, key, "git")), /made for something else/);
    assert.match(await says(signText(record, stranger)), /none that this system trusts \(SHA256:[A-Za-z0-9+/]{43}\)/);
    trust(key, stranger);
    assert.equal((await read()).verdict, "taken");
    trust();
    assert.equal((await read()).verdict, "signature");
  });

  it("is known where it is the one of before, also when that has expired", async () => {
    for (const fields of [{}, { time: now - 900, validUntil: now - 1 }]) {
      const digest = digestOf(publish(fields));
      assert.equal((await read({ number: 42, digest })).verdict, "known");
    }
  });

  it("is refused as a replay where its number is older, or was given to another", async () => {
    publish();
    const older = await read({ number: 43, digest: "0" });
    assert.equal(older.verdict, "number");
    assert.match(older.message!, /42.*43/);
    const other = await read({ number: 42, digest: "0" });
    assert.equal(other.verdict, "number");
    assert.match(other.message!, /another record/);
  });

  it("is refused in the place of a release where it says that CI has begun", async () => {
    publish({ state: "started", system: null, number: null });
    assert.equal((await read()).verdict, "state");
  });

  it("is none where nothing was released", async () => {
    assert.deepEqual(await read(), { verdict: "none" });
  });

  it("is handed on with the hash of its bytes", async () => {
    const record = publish();
    const { digest, record: text } = await read();
    assert.equal(digest, digestOf(record));
    assert.deepEqual(JSON.parse(text!), JSON.parse(record));
  });

  it("is looked for by names of one word each, whatever the branch is called", async () => {
    const [branch, attribute] = ["feature/x+y@z", "web-1.a_b"];
    publish({ branch, attribute }, latestKey(releaseFolder(branch, attribute)));
    const settings = { UPGRADE_BRANCH: branch, UPGRADE_ATTRIBUTE: attribute };
    for (const address of [store.plain, store.address]) {
      assert.equal((await read(undefined, { ...settings, UPGRADE_RELEASE_STORE: address })).verdict, "taken");
    }
  });

  it("is refused where it never ends", async () => {
    store.objects.set(KEY, "endless");
    assert.equal((await read()).verdict, "size");
  });

  for (const stored of ["endless-slowly", "hang"] as const) {
    it(`is not waited for longer than a request may take (${stored})`, async () => {
      store.objects.set(KEY, stored);
      const { verdict, fault, message } = await read(undefined, { UPGRADE_REQUEST_SECONDS: "1" });
      assert.deepEqual([verdict, fault], ["store", "server"], message);
    });
  }

  for (const [status, fault] of [
    [403, "machine"],
    [500, "server"],
    [503, "server"],
    [301, "server"],
  ] as const) {
    it(`is not there where the cache answers with ${status}, and its word for it is quoted`, async () => {
      store.objects.set(KEY, { status, body: "<Error><Code>Its-Word</Code><Code>ItsWord</Code></Error>" });
      const found = await read();
      assert.deepEqual([found.verdict, found.fault], ["store", fault]);
      assert.match(found.message!, new RegExp(`${status}, ItsWord`));
    });
  }

  it("is not there where nobody answers", async () => {
    const { verdict, fault, message } = await read(undefined, { UPGRADE_RELEASE_STORE: "http://127.0.0.1:1" });
    assert.deepEqual([verdict, fault], ["store", "server"]);
    assert.match(message!, /connect/);
  });

  describe("in a bucket that only the machine's role may read", () => {
    const here = () => ({ UPGRADE_RELEASE_STORE: store.address });

    it("is read with a signed request, by the role that the metadata service names", async () => {
      publish();
      assert.equal((await read(undefined, here())).verdict, "taken");
      assert.deepEqual(store.requests, [
        "PUT /latest/api/token",
        "GET /latest/meta-data/iam/security-credentials/",
        "GET /latest/meta-data/iam/security-credentials/server-role",
        `GET /builds/${KEY}`,
      ]);
    });

    it("shows no secret to who lists the processes", async () => {
      publish();
      place.standIn(
        "curl",
        `printf '%s\\n' "$*" >>${place.root}/arguments; exec "$(PATH=\${PATH#*:} command -v curl)" "$@"\n`,
      );
      assert.equal((await read(undefined, here())).verdict, "taken");
      const listed = fs.readFileSync(path.join(place.root, "arguments"), "utf8");
      fs.rmSync(path.join(place.root, "bin/curl"));
      assert.equal(listed.trim().split("\n").length, 4);
      for (const secret of Object.values(store.credentials)) assert.ok(!listed.includes(secret));
    });

    it("is not read with rights that the bucket does not know", async () => {
      publish();
      store.credentials.SecretAccessKey = "another";
      const { verdict, message } = await read(undefined, here());
      assert.equal(verdict, "store");
      assert.match(message!, /SignatureDoesNotMatch/);
    });

    it("is not read where the machine has no role", async () => {
      publish();
      store.role = false;
      const { verdict, message } = await read(undefined, here());
      assert.equal(verdict, "store");
      assert.match(message!, /names no role/);
    });

    it("takes no words of the metadata service for settings of curl", async () => {
      publish();
      store.credentials.SecretAccessKey = 'x"\noutput = "/tmp/x';
      assert.match((await read(undefined, here())).message!, /names no role/);
    });
  });

  describe("of the progress of CI", () => {
    const progress = async () => {
      const { stdout, stderr, code } = await place.script(
        `source "$UPGRADE_COMMON"; source "$UPGRADE_REPOSITORY"; source ${upgrade}/record.sh; trap forget_releases EXIT
         NOW=${now}; release_progress ${REVISION}`,
      );
      assert.equal(code, 0, stderr);
      return stdout;
    };
    const at = `${FOLDER}/progress/${REVISION}.json`;
    const none = { number: null, system: null };

    it("says how far it is, and nothing where it has not begun", async () => {
      assert.equal(await progress(), "");
      for (const state of ["started", "failed"]) {
        publish({ state, ...none }, at);
        assert.equal(await progress(), state);
      }
    });

    it("is not believed without a signature, of another revision, or where it has expired", async () => {
      const record = JSON.stringify(goodRecord({ state: "failed", ...none }));
      store.objects.set(at, seal(record, signText("x", key)));
      assert.equal(await progress(), "");
      publish({ state: "failed", ...none, revision: "3".repeat(40), tip: "3".repeat(40) }, at);
      assert.equal(await progress(), "");
      publish({ state: "failed", ...none, time: now - 900, validUntil: now - 10 }, at);
      assert.equal(await progress(), "");
    });
  });
});
