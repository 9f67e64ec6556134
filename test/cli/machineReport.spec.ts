import assert from "node:assert/strict";
import { type MachineFacts, readFacts } from "../../cli/diagnostics/machineFacts";
import { type Expected, machineReport } from "../../cli/diagnostics/machineReport";
import { ageRecipient } from "../../components/keys/age";

const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
const NOW = 1_800_000_000;
const REVISION = "a".repeat(40);
const RUNNING = { system: "/nix/store/x-nixos-system", revision: REVISION, since: NOW - 600 };

const HEALTHY: MachineFacts = {
  "key-mode": "400 root",
  "key-public": KEY,
  off: "",
  timer: "active",
  "probe-unit": "loaded",
  asked: String(NOW),
  probe: JSON.stringify({ at: NOW, contact: NOW, problems: [] }),
  state: JSON.stringify({ check: NOW - 20, success: NOW - 600, error: null, running: RUNNING }),
  system: RUNNING.system,
  now: String(NOW),
  secrets: "",
  "failed-units": "",
  disk: "41",
};
const EXPECTED: Expected = {
  ageRecipients: [ageRecipient(KEY)],
  access: "deploy-key",
  branch: "main",
  revision: REVISION,
  secretsFile: false,
};

/** The lines that are not ok or skipped. */
function objections(facts: MachineFacts, expected: Partial<Expected> = {}): string[] {
  return machineReport({ ...HEALTHY, ...facts }, { ...EXPECTED, ...expected })
    .filter(({ outcome }) => outcome === "failed" || outcome === "note")
    .map(({ subject, outcome, found }) => `${outcome} ${subject}: ${found}`);
}

const state = (change: object) => JSON.stringify({ ...(JSON.parse(HEALTHY["state"]!) as object), ...change });

describe("machineReport", () => {
  it("has nothing against a healthy machine", () => {
    const results = machineReport(HEALTHY, EXPECTED);
    assert.deepEqual(
      results.map(({ subject, outcome }) => `${outcome} ${subject}`),
      [
        "ok key file",
        "ok timer",
        "ok repository",
        "ok last upgrade",
        "ok revision",
        "skipped open secrets",
        "ok units",
        "ok disk",
      ],
    );
  });

  const cases: [string, MachineFacts, Partial<Expected>, RegExp][] = [
    ["no key file", { "key-mode": "", "key-public": "" }, {}, /^failed key file: there is no/],
    ["an empty key file", { "key-public": "" }, {}, /^failed key file: .* holds no private key$/],
    ["another key", {}, { ageRecipients: ["age1other"] }, /^failed key file: .* is another key than the stack's$/],
    ["a readable key", { "key-mode": "644 root" }, {}, /^failed key file: .* 644 root; expected 400 root$/],
    ["a stopped timer", { timer: "inactive" }, {}, /^failed timer: .* is not active/],
    [
      "a probe that did not end: what is there is its last answer, from a minute ago",
      { asked: String(NOW + 60) },
      {},
      /^failed repository: the machine has not answered within a minute/,
    ],
    [
      "a repository that refuses",
      {
        probe: JSON.stringify({ at: NOW, contact: NOW - 60, problems: [] }),
        state: state({ error: null }),
      },
      {},
      /^failed repository: the machine cannot read it$/,
    ],
    [
      "a token near its end",
      { probe: JSON.stringify({ at: NOW, contact: NOW, problems: [{ message: "The token ends soon." }] }) },
      {},
      /^failed repository: The token ends soon\.$/,
    ],
    [
      "a failed upgrade",
      { state: state({ error: { kind: "build", message: "Revision aaa: it broke", since: NOW - 7200 } }) },
      {},
      /^failed last upgrade: Revision aaa: it broke \(2 hours ago\)$/,
    ],
    ["another revision", {}, { revision: "b".repeat(40) }, /^failed revision: runs aaaaaaaaaa; main is at bbbbbbbbbb$/],
    ["a failed unit", { "failed-units": "nginx.service" }, {}, /^failed units: failed: nginx\.service$/],
    ["a full disk", { disk: "97" }, {}, /^failed disk: 97 %/],
    ["a token that was not opened", {}, { access: "token" }, /^failed open secrets: .*github-access-token/],
    ["a branch that could not be asked", {}, { revision: "" }, /^note revision: runs aaaaaaaaaa/],
    ["secrets that nothing opens", {}, { secretsFile: true }, /^note open secrets: none/],
    ["upgrades that are switched off", { off: "yes" }, {}, /^note upgrades:/],
    [
      "a running upgrade",
      { state: state({ phase: "building" }) },
      {},
      /^note last upgrade: one is at work \(building\)$/,
    ],
    [
      "a wait for a release",
      { state: state({ phase: "awaiting" }) },
      {},
      /^note last upgrade: waiting for CI to release the new revision/,
    ],
  ];
  for (const [name, facts, expected, objection] of cases) {
    it(`objects to ${name}, and to nothing else`, () => {
      const found = objections(facts, expected);
      assert.equal(found.length, 1, found.join("\n"));
      assert.match(found[0]!, objection);
    });
  }

  it("takes any generation of the key during a rotation", () => {
    assert.deepEqual(objections({}, { ageRecipients: ["age1new", ageRecipient(KEY)] }), []);
  });

  it("does not take the record of another system for the running one", () => {
    const found = objections({ system: "/nix/store/y" });
    assert.match(found.join("\n"), /^note revision: the running system came from a deployment/);
  });

  it("survives records that are damaged", () => {
    assert.ok(objections({ state: "{", probe: "[]" }).length > 0);
    assert.ok(machineReport({}, EXPECTED).some(({ outcome }) => outcome === "failed"));
  });
});

describe("readFacts", () => {
  it("reads names and values, and skips what a login banner adds", () => {
    assert.deepEqual(readFacts("Welcome!\nkey-mode\t400 root\nstate\t\nA\tb\n"), {
      facts: { "key-mode": "400 root", state: "" },
      strange: [],
    });
  });
});
