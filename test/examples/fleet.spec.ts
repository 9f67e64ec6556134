import assert from "node:assert/strict";
import { fleet } from "./definitions";
import { describeExample } from "./describeExample";

describeExample(fleet, (stage) => {
  const repository = () => stage().fakes.github.repository("fleet")!;

  it("lets each machine read the repository with a key of its own", () => {
    const keys = [...repository().deployKeys.values()];
    assert.deepEqual(keys.map(({ title }) => title).sort(), ["web (read-only)", "worker (read-only)"]);
    assert.deepEqual(new Set(keys.map(({ readOnly }) => readOnly)), new Set([true]));
    assert.equal(new Set(keys.map(({ key }) => key)).size, 2);
  });

  it("merges only what every machine can be built from", () => {
    const [protection, ...others] = [...repository().protections.values()];
    assert.deepEqual(others, []);
    const [{ contexts }] = protection!.inputs["requiredStatusChecks"] as [{ contexts: string[] }];
    assert.deepEqual(contexts, ["Evaluate flake.nix", "nixosConfig web", "nixosConfig worker"]);
  });

  it("gives the worker no way in but SSH", () => {
    const rules = stage()
      .run()
      .resources.filter(({ type }) => type.endsWith(":SecurityGroupIngressRule"));
    const ports = rules.filter(({ name }) => name.startsWith("worker-")).map(({ inputs }) => inputs["fromPort"]);
    assert.deepEqual(ports, [22, 22]);
  });
});
