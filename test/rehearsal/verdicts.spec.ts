import assert from "node:assert/strict";
import * as sshpk from "sshpk";
import type { RecordedResource, Run } from "../../cli/rehearse/drivers/driver";
import { type Properties, secret } from "../../cli/rehearse/emulators/values";
import { changedInputs, exposedKeys } from "../../cli/rehearse/records";
import { totals, verdictTable } from "../../cli/rehearse/report";
import { Verdicts } from "../../cli/rehearse/verdicts";

const fails = () => assert.fail("it is not so");
const holds = () => {};

describe("verdicts of a rehearsal", () => {
  it("never say that an engine's part holds without an engine, and do not even look", () => {
    const verdicts = new Verdicts(false);
    verdicts.engineOnly("kept", fails);
    assert.deepEqual(
      verdicts.all.map(({ outcome }) => outcome),
      ["not checked"],
    );
    assert.equal(verdicts.failures.length, 0);
  });

  it("fail with the reason when a statement does not hold", () => {
    const verdicts = new Verdicts(true);
    verdicts.begin("create");
    verdicts.program("one", fails);
    verdicts.engineOnly("two", fails);
    verdicts.real("machine", "three", fails);
    verdicts.failed("four", new Error("broken"));
    assert.equal(verdicts.failures.length, 4);
    const table = verdictTable(verdicts.all).join("\n");
    assert.match(table, /^FAILED +program +create +one\n +it is not so/m);
    assert.match(table, /broken/);
  });

  it("are counted, with the reasons of those that could not be had", () => {
    const verdicts = new Verdicts(false);
    verdicts.program("one", holds);
    verdicts.engineOnly("two", holds);
    verdicts.notRun("machine", "three", "there is no sshd");
    assert.deepEqual(totals(verdicts.all), [
      "1 held, 1 not checked, 1 not run",
      "not checked: no engine",
      "not run: there is no sshd",
    ]);
  });

  it("show no private key that a failure repeats", () => {
    const verdicts = new Verdicts(true);
    verdicts.failed("one", new Error(privateKey()));
    assert.doesNotMatch(verdictTable(verdicts.all).join("\n"), /PRIVATE KEY/);
  });
});

describe("records of a run", () => {
  it("tell which inputs of provider resources changed, came and went", () => {
    const before = run([
      resource("a", { x: 1, y: secret("s") }),
      resource("gone", {}),
      resource("component", { x: 1 }, false),
    ]);
    const after = run([resource("a", { x: 2, y: "s" }), resource("new", {}), resource("component", { x: 2 }, false)]);
    assert.deepEqual(changedInputs(before, after), [
      { urn: "a", properties: ["x"] },
      { urn: "gone", properties: ["(gone)"] },
      { urn: "new", properties: ["(new)"] },
    ]);
  });

  it("show where a private key stands in the open: in inputs, outputs, stack outputs and print", () => {
    const key = privateKey();
    const folded = key.replaceAll("\n", "|");
    const { outputs } = resource("b", {});
    assert.deepEqual(exposedKeys(run([resource("a", { deep: [{ key }] })])), ["a (t)"]);
    assert.deepEqual(exposedKeys(run([{ ...resource("a", {}), outputs: { ...outputs, script: `x\n${folded}` } }])), [
      "a (t)",
    ]);
    assert.deepEqual(exposedKeys({ ...run([]), outputs: { key } }), ["stack outputs"]);
    assert.deepEqual(exposedKeys({ ...run([]), log: JSON.stringify({ key }) }), ["printed text"]);
  });

  it("do not take a marked secret for one in the open", () => {
    const hidden = run([resource("a", { key: secret(privateKey()), deep: [{ key: secret(privateKey()) }] })]);
    assert.deepEqual(exposedKeys(hidden), []);
  });
});

function privateKey(): string {
  return sshpk.generatePrivateKey("ed25519").toString("openssh");
}

function resource(urn: string, inputs: Properties, custom = true): RecordedResource {
  return { urn, type: "t", name: urn, parent: undefined, custom, id: urn, inputs, outputs: {} };
}

function run(resources: RecordedResource[]): Run {
  return { resources, outputs: {}, log: "", operations: [] };
}
