/** Policy events are made by hand here; a recorded preview with a policy pack is among the golden comments. */
import * as assert from "node:assert/strict";
import { readPreview } from "../../cli/preview/read";
import { previewReport } from "../../cli/preview/report";
import { toMarkdown } from "../../cli/render/markdown";
import { digestOf, step } from "./builders";
import { recordedDigest, recordedEvents } from "./recordings";

const comment = (...args: Parameters<typeof readPreview>) => toMarkdown(previewReport(readPreview(...args)));

describe("reading a preview that is damaged", () => {
  for (const [what, text] of [
    ["empty", ""],
    ["blank", " \n\n"],
    ["no JSON", "Segmentation fault"],
    ["a list", "[1, 2]"],
    ["an object that is no preview", '{"message": "not found"}'],
    ["cut off", recordedDigest("replace").slice(0, 9000)],
    ["events, cut off", recordedEvents("replace").slice(0, 40_000)],
    ["events, one of them garbage", recordedEvents("page").replace(/\n\{"sequence"/, '\n{"sequence" garbage')],
    ["steps of wrong types", '{"steps": [null, 3, {"op": 7, "urn": []}, {"op": "update"}], "diagnostics": 3}'],
  ] as const) {
    it(`is no success: ${what}`, () => {
      const preview = readPreview(text);
      assert.equal(preview.failed, true);
      assert.equal(preview.errors.length, 1);
      assert.match(comment(text, { exitCode: 1 }), /^### ❌ .*the preview failed$/m);
    });
  }

  it("says that what is shown may not be complete", () => {
    const text = recordedEvents("replace");
    assert.match(comment(text.slice(0, text.indexOf("summaryEvent") - 40)), /may not be complete/);
  });

  it("skips what a wrapper printed first", () => {
    assert.deepEqual(readPreview(`Downloading…\n${recordedDigest("page")}`), readPreview(recordedDigest("page")));
  });
});

describe("a preview that failed", () => {
  it("without any output shows what it wrote on standard error", () => {
    const log = "error: getting stack configuration: get stack secrets manager: incorrect passphrase\n";
    assert.match(
      comment("", { exitCode: 255, log }),
      /```text\ngetting stack configuration: .* incorrect passphrase\n```/,
    );
  });

  it("because a policy pack did not start shows what that said", () => {
    const written = (message: string) => ({ diagnosticEvent: { severity: "info#err", message: `${message}\n\n` } });
    const events = [
      { policyLoadEvent: {} },
      written("error: [runtime] Running program '/home/somebody/policy' failed with an unhandled exception:"),
      written("    Error: config.json names rules that do not exist: nope."),
      written("    at Object.<anonymous> (/home/somebody/policy/index.ts:12:9)"),
      { cancelEvent: {} },
    ];
    const told = events.map((event, sequence) => JSON.stringify({ sequence, ...event })).join("\n");
    assert.match(comment(told), /failed$[^]*```text\nconfig\.json names rules that do not exist: nope\.\n```/m);
    const log = "error: policy pack not started\n";
    const silent = JSON.stringify({ sequence: 0, policyLoadEvent: {} });
    assert.match(comment(silent, { log }), /```text\npolicy pack not started\n```/);
  });

  it("without any words says with which exit code", () => {
    assert.match(comment(digestOf([]), { exitCode: 4 }), /ended with exit code 4 and did not say why/);
  });

  it("keeps Nix's words and drops the stack of the program", () => {
    const printed = comment(recordedDigest("broken-flake"));
    const [useful = ""] = printed.split("<details>");
    assert.match(useful, /The flake does not evaluate/);
    assert.match(useful, /syntax error, unexpected '=', expecting ';'/);
    assert.match(useful, /at nix\/flake\.nix:\d+:\d+/);
    assert.doesNotMatch(useful, /node_modules|invoke\.ts|unhandled|Promise/);
  });

  it("shows five of many errors and counts the others", () => {
    const errors = Array.from({ length: 12 }, (_, at) => ({ severity: "error", message: `error: number ${at}.` }));
    const printed = comment(digestOf([], errors));
    assert.equal(printed.match(/^number \d+\.$/gm)?.length, 5);
    assert.match(printed, /and 7 more errors/);
  });

  it("shows no colours of a terminal or of the engine", () => {
    const message = "\u001b[31merror:\u001b[0m <{%fg 1%}>it broke<{%reset%}>";
    assert.match(comment(digestOf([], [{ severity: "error", message }])), /```text\nit broke\n```/);
  });
});

describe("secrets", () => {
  const KEY = [
    "-----BEGIN OPENSSH",
    "PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH",
    "PRIVATE KEY-----",
  ].join(" ");
  const TOKEN = `ghp_${"a1".repeat(18)}`;

  it("are hidden in values, wherever they stand and however they are marked", () => {
    const wire = (rest: object) => ({
      "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
      ...rest,
    });
    const output = {
      "4dabf18193072939515e22adb298388d": "d0e6a833031e9bbcd3f4e8bde6ca49a4",
      value: "hidden-6",
      secret: true,
    };
    const before = {
      marked: wire({ value: "hidden-1" }),
      nested: { list: [wire({ ciphertext: "hidden-2" })] },
      plain: { text: `a ${KEY} b` },
      token: TOKEN,
      output,
      inner: wire({ value: { key: "hidden-3" } }),
    };
    const after = {
      marked: wire({ value: "hidden-4" }),
      nested: { list: [wire({ plaintext: '"hidden-5"' })], more: 1 },
      plain: { text: KEY.slice(0, 50) },
      token: `${TOKEN}2`,
      output: { ...output, value: "hidden-7" },
      inner: wire({ value: { key: "hidden-8" } }),
    };
    const update = { kind: "update", inputDiff: true };
    const differences: Record<string, typeof update>[] = [
      {},
      { "inner.key": update },
      { nested: update, plain: update },
    ];
    for (const detailedDiff of differences) {
      for (const op of ["update", "replace", "create"]) {
        const options = { ...(op === "create" ? {} : { before }), after, detailedDiff };
        const printed = comment(digestOf([step(op, "thing", options)]));
        assert.match(printed, /\[secret\]/);
        assert.doesNotMatch(printed, /hidden-|BEGIN|b3Blbn|ghp_/);
      }
    }
  });

  it("are hidden in messages, and those of the engine's debugging are never shown", () => {
    const error = { severity: "error", message: `could not use ${KEY} and ${TOKEN}` };
    assert.match(comment(digestOf([], [error])), /could not use \[secret\] and \[secret\]/);
    const event = { sequence: 1, diagnosticEvent: { severity: "debug", message: "resp: hidden-1" } };
    assert.doesNotMatch(comment(`${JSON.stringify(event)}\n${recordedEvents("page")}`), /hidden-1/);
  });

  it("that change are said to change", () => {
    const printed = comment(
      digestOf([
        step("update", "thing", {
          before: { key: "[secret]" },
          after: { key: "[secret]" },
          detailedDiff: { key: { kind: "update", inputDiff: true } },
        }),
      ]),
    );
    assert.match(printed, /`key` `\[secret\]` → `\[secret\]`/);
  });
});

describe("a change", () => {
  it("without a detailed difference is told from the inputs", () => {
    const { changes } = readPreview(
      digestOf([step("update", "thing", { before: { a: 1, b: 2 }, after: { b: 3, c: 4 } })]),
    );
    assert.deepEqual(changes[0]?.properties, [
      { path: "a", kind: "delete", before: "1", replaces: false },
      { path: "b", kind: "update", before: "2", after: "3", replaces: false },
      { path: "c", kind: "add", after: "4", replaces: false },
    ]);
  });

  it("at a path with quotes, dots and indexes is found", () => {
    const { changes } = readPreview(
      digestOf([
        step("update", "thing", {
          before: { tags: { "a.b": ["x", { c: 1 }] } },
          after: { tags: { "a.b": ["x", { c: 2 }] } },
          detailedDiff: { 'tags["a.b"][1].c': { kind: "update", inputDiff: true } },
        }),
      ]),
    );
    assert.deepEqual(
      changes[0]?.properties.map(({ before, after }) => [before, after]),
      [["1", "2"]],
    );
  });

  it("that is left of an interrupted replacement is a deletion", () => {
    const { changes } = readPreview(digestOf([step("delete-replaced", "thing", { before: { a: 1 } })]));
    assert.deepEqual(
      changes.map(({ operation }) => operation),
      ["delete"],
    );
  });

  it("that a person asked for has no property to blame", () => {
    const state = { a: 1 };
    assert.match(
      comment(digestOf([step("replace", "thing", { before: state, after: state })])),
      /because a replacement was asked for/,
    );
  });

  it("of a deployment in hash mode names the hashes", () => {
    const after = recordedDigest("page").replaceAll(/\/nix\/store\/w1z0[^"]*\.drv/g, `sha256-${"A".repeat(43)}=`);
    assert.match(comment(after), /^\+ sha256-A+=$/m);
  });
});

describe("policies", () => {
  const event = (policy: object) =>
    JSON.stringify({ sequence: 99, policyEvent: { color: "never", policyPackName: "rules", ...policy } });
  const withPolicies = (...policies: object[]) =>
    `${recordedEvents("no-effect").trimEnd()}\n${policies.map(event).join("\n")}\n`;
  const urn = (name: string) => `urn:pulumi:dev::p::t:t:T::${name}`;
  const mandatory = {
    policyName: "no-public-ssh",
    enforcementLevel: "mandatory",
    severity: "high",
    message: "SSH is open to everybody.\nPort 22.\nClose it.",
    resourceUrn: urn("rule"),
  };
  const advisory = { policyName: "tags", enforcementLevel: "advisory", message: "No owner." };

  it("that are mandatory fail the preview and come first, those that advise are folded at the end", () => {
    const printed = comment(withPolicies(advisory, mandatory));
    assert.match(printed, /^### ❌ `pulumi-nixos\/dev`: blocked by 1 mandatory policy$/m);
    assert.match(
      printed,
      /\*\*Mandatory\*\*: `rules\/no-public-ssh` \(high\), about `rule`[^]*SSH is open[^]*<summary>Advisory policy: <code>rules\/tags/,
    );
  });

  it("that are advisory fail nothing", () => {
    const preview = readPreview(withPolicies({ ...mandatory, enforcementLevel: "advisory" }));
    assert.equal(preview.failed, false);
  });

  it("that find the same in several resources are told once, with what differs", () => {
    const others = ["second", "third"].map((name, at) => ({
      ...mandatory,
      resourceUrn: urn(name),
      message: mandatory.message.replace("22", `222${at}`),
    }));
    const printed = comment(withPolicies(mandatory, ...others));
    assert.match(printed, /blocked by 1 mandatory policy$/m);
    assert.match(printed, /about `rule`, `second`, `third`\n/);
    const many = Array.from({ length: 9 }, (_, at) => ({ ...mandatory, resourceUrn: urn(`rule-${at}`) }));
    assert.match(comment(withPolicies(...many)), /`rule-4` and 4 more resources\n/);
    assert.match(printed, /```text\nSSH is open to everybody\.\nPort 22\.\nPort 2220\.\nPort 2221\.\nClose it\.\n```/);
  });

  it("that a preview cannot check yet are named, and count neither as found nor as passed", () => {
    const message =
      "can't run policy 'a' from policy pack 'rules@v1' during preview: string value at .x can't be known";
    const waits = ["first", "second"].map((name) => ({
      ...advisory,
      policyName: "a",
      message,
      resourceUrn: urn(name),
    }));
    const printed = comment(withPolicies(...waits));
    assert.match(printed, /^### ✅ /);
    assert.match(printed, /^1 policy can be checked by the update only, which knows all values: `rules\/a`\.$/m);
    assert.doesNotMatch(printed, /Advisory/);
  });

  it("name the packs that were asked, without their folders", () => {
    const packs = { "nixos|local|/home/somebody/policy": "0.1.0", other: "2.0.0" };
    const text = recordedEvents("no-effect").replace('"PolicyPacks":{}', `"PolicyPacks":${JSON.stringify(packs)}`);
    assert.match(comment(text), /^policies `nixos 0\.1\.0` · policies `other 2\.0\.0`$/m);
    assert.doesNotMatch(comment(text), /somebody/);
  });

  it("that block a preview are its explanation; what the engine says then is none", () => {
    const failed = JSON.stringify({
      sequence: 98,
      diagnosticEvent: { severity: "error", message: "preview failed\n" },
    });
    const preview = readPreview(`${failed}\n${withPolicies(mandatory)}`, { exitCode: 255 });
    assert.deepEqual([preview.failed, preview.errors], [true, []]);
  });
});
