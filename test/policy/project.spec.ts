/**
 * The pack's own files: its configuration, its package and its page.
 * Cannot prove: what the engine makes of the configuration; test/engine/policy.spec.ts does.
 */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { Pack, POLICY } from "../../cli/check/pack";
import { page } from "./table";

describe("the policy pack's project", () => {
  let folder: string;
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(path.join(tmpdir(), "policy-spec-")));
    cpSync(POLICY, folder, { recursive: true });
    symlinkSync(path.resolve("node_modules"), path.join(folder, "node_modules"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const started = (config: object) => {
    writeFileSync(path.join(folder, "config.json"), JSON.stringify(config));
    return Pack.start(folder);
  };

  it("tells the engine what config.json decides, from any folder", async () => {
    const pack = await started({
      "administrators-bound": "mandatory",
      "ssh-not-open-to-the-world": { enforcementLevel: "mandatory", ports: [22, 3389] },
    });
    try {
      const { initialconfigMap } = await pack.info();
      const told = Object.fromEntries(
        initialconfigMap.map(([rule, { enforcementlevel, properties }]) => [
          rule,
          [enforcementlevel, JSON.stringify(properties)],
        ]),
      );
      assert.deepEqual(Object.keys(told).sort(), ["administrators-bound", "ssh-not-open-to-the-world"]);
      assert.deepEqual([told["administrators-bound"]![0], told["ssh-not-open-to-the-world"]![0]], [1, 1]);
      assert.match(String(told["ssh-not-open-to-the-world"]![1]), /ports.*22.*3389/);
    } finally {
      pack.stop();
    }
  });

  it("refuses a rule in config.json that does not exist, and lists those that do", async () => {
    await assert.rejects(
      started({ "ssh-not-open": "mandatory", all: "advisory" }),
      /names rules that do not exist: ssh-not-open\. There are: all, metadata-need-token, /,
    );
  });

  it("decides nothing by default", () => {
    assert.deepEqual(JSON.parse(readFileSync(path.join(POLICY, "config.json"), "utf8")), {});
  });

  it("pins what it is made of exactly, as the project does", () => {
    const read = (file: string) => JSON.parse(readFileSync(file, "utf8")) as Record<string, Record<string, string>>;
    const { dependencies } = read(path.join(POLICY, "package.json"));
    for (const [name, version] of Object.entries(dependencies!)) assert.match(version, /^\d+\.\d+\.\d+$/, name);
    assert.equal(dependencies!["typescript"], read("package.json")["devDependencies"]!["typescript"]);
  });

  it("is described by docs/policy.md as it is: else `npx tsx test/policy/table.ts`", async () => {
    const { actual, expected } = await page();
    assert.equal(actual, expected);
    assert.match(actual, /`ssh-not-open-to-the-world`/);
  });
});
