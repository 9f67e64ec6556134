/**
 * docs/life-cycle.md: that its table is the program's.
 * Cannot prove: that its commands do what it says (test/engine/{protect,adoption,moves}.spec.ts).
 */
import assert from "node:assert/strict";
import { CONFIG_KEYS } from "../../program/configKeys";
import type { Registered } from "../support/mocks";
import { Project } from "../support/program";
import { codeOf, pageOf, tableOf } from "./tables";

describe("docs/life-cycle.md", () => {
  const page = pageOf("life-cycle.md");
  const rows = tableOf(page, "Protected").map(([names, type, id, kept]) => ({
    names: codeOf(names!),
    // Whether there are more of the kind than are named.
    more: names!.includes("others"),
    type: codeOf(type!)[0],
    id: id!,
    kept: kept === "yes",
  }));
  const project = new Project();
  let resources: Registered[];
  before(async () => {
    ({ resources } = await project.run({ config: { "pulumi-nixos:protect": "true" } }));
  });
  after(() => project.remove());

  it("has every resource of the program by default, and no other", () => {
    const custom = resources.filter((resource) => resource.custom);
    const fits = (row: (typeof rows)[0], { name, type }: Registered) =>
      row.type === type && (row.names.includes(name) || row.more);
    for (const resource of custom)
      assert.equal(rows.filter((row) => fits(row, resource)).length, 1, `${resource.type} ${resource.name}`);
    for (const { names, type } of rows)
      for (const name of names)
        assert.ok(
          custom.some((one) => one.name === name && one.type === type),
          name,
        );
  });

  it("says which of them are protected", () => {
    const kept = resources.filter(({ options }) => options.protect).map(({ name, type }) => `${type} ${name}`);
    const told = rows.filter((row) => row.kept).flatMap(({ names, type }) => names.map((name) => `${type} ${name}`));
    assert.deepEqual(told.sort(), kept.sort());
  });

  it("names no configuration key that there is not", () => {
    const keys = [...page.matchAll(/pulumi config set (?:--path )?([A-Za-z.]+)/g)].map(([, key]) => key!);
    const instead = rows.filter(({ id }) => id.includes("adopted")).flatMap(({ id }) => codeOf(id));
    assert.ok(keys.length >= 3 && instead.length === 2);
    assert.deepEqual(
      [...keys, ...instead].filter((key) => !(key in CONFIG_KEYS)),
      [],
    );
  });
});
