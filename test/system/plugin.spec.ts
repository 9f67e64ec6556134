/**
 * The components as a plugin: started as Pulumi starts it for programs in Python, Go and YAML, with this process in the
 * place of the engine and its mocks behind it.
 * Cannot prove: what the real engine does with it; test/engine/languages.spec.ts runs that where there is one.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { ContinuousDeployment } from "../../components/index";
import { cloud } from "../support/cloud";
import { run } from "../support/mocks";
import { ComponentPlugin } from "../support/plugin";
import { componentSchema } from "../support/schema";

const FOLDER = path.resolve("components");
const ARGS = {
  owner: "octo",
  repositoryName: "server",
  machine: { sshCidrBlocks: ["203.0.113.0/24"], httpPorts: [80, 443] },
  repository: { visibility: "public", requiredReviews: 1 },
};

describe("the components as a plugin", () => {
  let folder: string;
  let plugin: ComponentPlugin;

  before(async () => {
    // A program of another language: no package.json, no tsconfig.json.
    folder = mkdtempSync(path.join(tmpdir(), "plugin-"));
    plugin = await ComponentPlugin.start(FOLDER, folder);
  });

  after(() => {
    plugin?.stop();
    rmSync(folder, { recursive: true });
  });

  it("tell the schema that the analyzer makes of their sources", async () => {
    assert.deepEqual(await plugin.schema(), componentSchema());
  });

  it("register the same resources as a program that imports them: URNs and options", async () => {
    const imported = await run(cloud(), () => void new ContinuousDeployment("server", ARGS));
    const { resources, result } = await run(cloud(), () =>
      plugin.construct("nixos:index:ContinuousDeployment", "server", ARGS),
    );
    assert.equal(result, "urn:pulumi:test::pulumi-nixos::nixos:index:ContinuousDeployment::server");
    assert.ok(resources.length > 20);
    const table = (registered: typeof resources) =>
      Object.fromEntries(registered.map(({ urn, options }) => [urn, options]));
    assert.deepEqual(table(resources), table(imported.resources));
  });

  it("refuse bad arguments with the same words", async () => {
    const bad = { ...ARGS, machine: { instanceType: "t4g.small" } };
    await assert.rejects(
      run(cloud(), () => plugin.construct("nixos:index:ContinuousDeployment", "server", bad)),
      /machine\.instanceType.*t4g\.small/s,
    );
  });

  // Pulumi's own template for TypeScript, and options that the components were not written for.
  for (const [name, options] of Object.entries({
    "of Pulumi's template": {
      strict: true,
      outDir: "bin",
      target: "es2020",
      module: "commonjs",
      noImplicitReturns: true,
    },
    "with stricter rules": { strict: true, exactOptionalPropertyTypes: true, noPropertyAccessFromIndexSignature: true },
  })) {
    it(`start beside a tsconfig.json ${name}`, async () => {
      const program = mkdtempSync(path.join(tmpdir(), "plugin-"));
      writeFileSync(path.join(program, "tsconfig.json"), JSON.stringify({ compilerOptions: options }));
      try {
        (await ComponentPlugin.start(FOLDER, program)).stop();
      } finally {
        rmSync(program, { recursive: true });
      }
    });
  }

  it("start in the project's own folder, whose tsconfig.json takes JavaScript too", async () => {
    (await ComponentPlugin.start(FOLDER, process.cwd())).stop();
  });
});
