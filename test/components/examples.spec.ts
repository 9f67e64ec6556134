/**
 * The `@example` of every component, which its page shows too: it has right types, and it runs against mocks.
 * Cannot prove: that a cloud takes it.
 */
import assert from "node:assert/strict";
import * as path from "node:path";
import * as tls from "@pulumi/tls";
import ts from "typescript";
import * as nixos from "../../components/index";
import { readPackage } from "../../tools/docs/read";
import { cloudWithIntegration } from "../support/cloud";
import { run } from "../support/mocks";

const ROOT = path.resolve(__dirname, "../..");
const { components } = readPackage(ROOT);

/** The example as a program, in a file that is not there. */
const programs = new Map(
  components.map(({ name, example }) => {
    const imports = `import { ${Object.keys(nixos).join(", ")} } from "./components/index";\nimport { PrivateKey } from "@pulumi/tls";`;
    return [path.join(ROOT, `example-of-${name}.ts`), `${imports}\n${example}\n`];
  }),
);

describe("the examples in the components' descriptions", () => {
  it("are there, one for each", () => {
    assert.deepEqual(
      components.filter(({ example }) => example === "").map(({ name }) => name),
      [],
    );
  });

  it("have right types", () => {
    const { config } = ts.readConfigFile(path.join(ROOT, "tsconfig.json"), (file) => ts.sys.readFile(file)) as {
      config: object;
    };
    const { options } = ts.parseJsonConfigFileContent({ ...config, files: [], include: [] }, ts.sys, ROOT);
    // Each has all imports, and uses a few.
    const relaxed = { ...options, noEmit: true, noUnusedLocals: false, types: ["node"] };
    const real = ts.createCompilerHost(relaxed);
    const host: ts.CompilerHost = {
      ...real,
      fileExists: (file) => programs.has(file) || real.fileExists(file),
      getSourceFile: (file, version, ...rest) =>
        programs.has(file)
          ? ts.createSourceFile(file, programs.get(file)!, version)
          : real.getSourceFile(file, version, ...rest),
    };
    const found = ts.getPreEmitDiagnostics(ts.createProgram([...programs.keys()], relaxed, host));
    assert.equal(ts.formatDiagnostics(found, host), "");
  });

  for (const [index, { name }] of components.entries()) {
    it(`run: ${name}`, async () => {
      // The account of the mocks.
      const text = [...programs.values()][index]!.replaceAll("octocat", "octo");
      const { outputText } = ts.transpileModule(text, {
        compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
      });
      const modules: Record<string, unknown> = { "./components/index": nixos, "@pulumi/tls": tls };
      const exported = {};
      // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the text is the repository's own
      const program = new Function("require", "exports", outputText) as (...args: unknown[]) => void;
      const { resources } = await run(cloudWithIntegration(), () => program((one: string) => modules[one], exported));
      assert.ok(resources.some(({ type }) => type === `nixos:index:${name}`));
      assert.ok(Object.keys(exported).length > 0);
    });
  }
});
