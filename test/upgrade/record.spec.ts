// Release records as the machine reads them: record.sh as it is, with the real curl, jq and ssh-keygen, over HTTP. The
// table is test/release/cases.ts. What it cannot prove: that S3 itself takes the requests (see test/release/store.ts).
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import {
  allowedSigners,
  digestOf,
  envelope,
  makeSigner,
  recordFields,
  releaseCases,
  REVISION,
  type ReleaseCase,
  type Signer,
} from "../release/cases";
import { type ReleaseStore, startReleaseStore } from "../release/store";
import { Place } from "./scripts";

const upgrade = path.join(__dirname, "../../nix/upgrade");
const KEY = "releases/main/default/latest.json";

describe("a release record on the machine", () => {
  let place: Place;
  let store: ReleaseStore;
  let signer: Signer;
  const now = () => Math.floor(Date.now() / 1000);

  before(async () => {
    place = new Place();
    store = await startReleaseStore();
    signer = makeSigner(place.root, "release");
    const signers = path.join(place.root, "signers");
    fs.writeFileSync(signers, allowedSigners(signer));
    Object.assign(place.settings, {
      UPGRADE_RELEASE_SIGNERS: signers,
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
  });

  /** What newest_release says: "accepted", "known", "none", or the kind and the message of its trouble. */
  async function newest(known: ReleaseCase["known"] | undefined, settings: Record<string, string> = {}) {
    const { code, stdout, stderr } = await place.script(
      `source "$UPGRADE_COMMON"; source "$UPGRADE_REPOSITORY"; source ${upgrade}/record.sh; trap forget_releases EXIT
       status=0; newest_release '${JSON.stringify(known ?? {})}' || status=$?
       printf '%s\\n' "$status" "$RECORD_KNOWN" "$RECORD_DIGEST" "$RECORD" "$TROUBLE"`,
      settings,
    );
    assert.equal(code, 0, stderr);
    const [status, isKnown, digest, record, trouble] = stdout.split("\n");
    if (status === "1") return { verdict: "none" };
    if (status === "0") return { verdict: isKnown === "true" ? "known" : "accepted", digest, record };
    const { kind, message, fault } = JSON.parse(trouble!) as Record<string, string>;
    return { verdict: kind!.replace("release-", ""), message, fault };
  }

  const publish = (fields: Record<string, unknown> = {}, key = KEY) => {
    const record = JSON.stringify(recordFields(now(), fields));
    store.objects.set(key, envelope(record, signer.sign(record)));
    return record;
  };

  it("is taken or refused as the table says, each refusal with a reason of its own", async () => {
    const cases = releaseCases(place.root, now(), signer);
    assert.ok(cases.length > 80);
    const reasons = new Map<string, string>();
    for (const { name, bytes, known, expected, says } of cases) {
      store.objects.set(KEY, bytes);
      const { verdict, message } = await newest(known);
      assert.equal(verdict, expected, `${name}: ${message ?? ""}`);
      if (message === undefined) continue;
      // eslint-disable-next-line no-control-regex
      assert.doesNotMatch(message, /[\u0000-\u001f\u007f]|null/, name);
      assert.match(message, says ?? /./, name);
      const reason = message.replaceAll(/[0-9]/g, "");
      assert.equal(reasons.get(reason) ?? expected, expected, `${name} has the words of another refusal: ${message}`);
      reasons.set(reason, expected);
    }
  });

  it("is none where nothing was released", async () => {
    assert.deepEqual(await newest(undefined), { verdict: "none" });
  });

  it("is handed on with the hash of its bytes", async () => {
    const record = publish();
    const { digest, record: read } = await newest(undefined);
    assert.equal(digest, digestOf(record));
    assert.deepEqual(JSON.parse(read!), JSON.parse(record));
  });

  it("is looked for by names of one word each, whatever the branch is called", async () => {
    publish({ branch: "feature/x+y@z" }, "releases/feature%2Fx%2By%40z/web-1.a_b/latest.json");
    const settings = { UPGRADE_BRANCH: "feature/x+y@z", UPGRADE_ATTRIBUTE: "web-1.a_b" };
    // Of the attribute "default", which the key does not decide.
    for (const address of [store.plain, store.address]) {
      assert.equal((await newest(undefined, { ...settings, UPGRADE_RELEASE_STORE: address })).verdict, "attribute");
    }
  });

  it("is refused where it never ends", async () => {
    store.objects.set(KEY, "endless");
    assert.equal((await newest(undefined)).verdict, "too-large");
  });

  for (const stored of ["endless-slowly", "hang"] as const) {
    it(`is not waited for longer than a request may take (${stored})`, async () => {
      store.objects.set(KEY, stored);
      const { verdict, fault, message } = await newest(undefined, { UPGRADE_REQUEST_SECONDS: "1" });
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
      const found = await newest(undefined);
      assert.deepEqual([found.verdict, found.fault], ["store", fault]);
      assert.match(found.message!, new RegExp(`${status}, ItsWord`));
    });
  }

  it("is not there where nobody answers", async () => {
    const { verdict, fault, message } = await newest(undefined, { UPGRADE_RELEASE_STORE: "http://127.0.0.1:1" });
    assert.deepEqual([verdict, fault], ["store", "server"]);
    assert.match(message!, /connect/);
  });

  describe("in a bucket that only the machine's role may read", () => {
    const here = () => ({ UPGRADE_RELEASE_STORE: store.address });

    it("is read with a signed request, by the role that the metadata service names", async () => {
      publish();
      assert.equal((await newest(undefined, here())).verdict, "accepted");
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
      assert.equal((await newest(undefined, here())).verdict, "accepted");
      const listed = fs.readFileSync(path.join(place.root, "arguments"), "utf8");
      fs.rmSync(path.join(place.root, "bin/curl"));
      assert.equal(listed.trim().split("\n").length, 4);
      for (const secret of Object.values(store.credentials)) assert.ok(!listed.includes(secret));
    });

    it("is not read with rights that the bucket does not know", async () => {
      publish();
      store.credentials.SecretAccessKey = "another";
      const { verdict, message } = await newest(undefined, here());
      assert.equal(verdict, "store");
      assert.match(message!, /SignatureDoesNotMatch/);
    });

    it("is not read where the machine has no role", async () => {
      publish();
      store.role = false;
      const { verdict, message } = await newest(undefined, here());
      assert.equal(verdict, "store");
      assert.match(message!, /names no role/);
    });

    it("takes no words of the metadata service for settings of curl", async () => {
      publish();
      store.credentials.SecretAccessKey = 'x"\noutput = "/tmp/x';
      assert.match((await newest(undefined, here())).message!, /names no role/);
    });
  });

  describe("of the progress of CI", () => {
    const progress = async () => {
      const { stdout, stderr, code } = await place.script(
        `source "$UPGRADE_COMMON"; source "$UPGRADE_REPOSITORY"; source ${upgrade}/record.sh; trap forget_releases EXIT
         release_progress ${REVISION}`,
      );
      assert.equal(code, 0, stderr);
      return stdout;
    };
    const key = `releases/main/default/progress/${REVISION}.json`;
    const none = { number: null, system: null };

    it("says how far it is, and nothing where it has not begun", async () => {
      assert.equal(await progress(), "");
      for (const state of ["started", "failed"]) {
        publish({ state, ...none }, key);
        assert.equal(await progress(), state);
      }
    });

    it("is not believed without a signature, of another revision, or where it has expired", async () => {
      const record = JSON.stringify(recordFields(now(), { state: "failed", ...none }));
      store.objects.set(key, envelope(record, signer.sign("x")));
      assert.equal(await progress(), "");
      publish({ state: "failed", ...none, revision: "3".repeat(40) }, key);
      assert.equal(await progress(), "");
      publish({ state: "failed", ...none, time: now() - 900, validUntil: now() - 10 }, key);
      assert.equal(await progress(), "");
    });
  });
});
