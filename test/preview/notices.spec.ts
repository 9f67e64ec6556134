/** What a person is told of a change that replaces the machine, beside what else the preview shows. */
import assert from "node:assert/strict";
import type { Change } from "../../cli/render/change";
import { noticesOf } from "../../cli/render/notices";

describe("the notice of a machine that is replaced", () => {
  const change = (type: string, operation: Change["operation"]): Change =>
    ({ type, operation, name: "nixos", parents: [], properties: [] }) as unknown as Change;
  const machine = change("aws:ec2/instance:Instance", "replace");
  const eip = (operation: Change["operation"]) => change("aws:ec2/eip:Eip", operation);

  for (const [what, all, address] of [
    ["its address stays", [machine], "same address"],
    ["its address is moved to it", [machine, eip("update")], "same address"],
    ["its address is replaced too", [machine, eip("replace")], "new address"],
    ["its address goes", [machine, eip("delete")], "new address"],
  ] as const) {
    it(`${what}: ${address}`, () => {
      const [notice] = noticesOf(machine, [...all]);
      assert.match(notice ?? "", new RegExp(`^The machine is replaced: new disk, ${address}\\.`));
    });
  }
});
