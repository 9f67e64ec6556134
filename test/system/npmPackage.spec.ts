/**
 * The npm package of the components: built, packed, and used by a TypeScript program that has nothing else of this
 * repository. Its dependencies are linked to those installed here, but for the last suite, in which npm installs them.
 * Cannot prove: that a registry takes the package, or that newer versions within its ranges work.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { promisify } from "node:util";
import { buildPackage, packPackage } from "../../tools/package/build";
import * as components from "../../components/index";
import { requireOrSkip } from "../require";
import { cloud } from "../support/cloud";
import { only, run } from "../support/mocks";

const execute = promisify(execFile);
const ROOT = path.resolve(__dirname, "../..");
const ARGS = { owner: "octo", repositoryName: "server", machine: { httpPorts: [80, 443] } };

interface Manifest {
  version: string;
  main: string;
  types: string;
  private?: boolean;
  sideEffects: boolean;
  pulumi?: object;
  exports: Record<string, string | Record<string, string>>;
  dependencies: Record<string, string>;
}

const read = <T>(file: string) => JSON.parse(readFileSync(file, "utf8")) as T;
const filesBelow = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)));

/** A program as a person would write it; the line that must not compile shows that the types are there. */
const PROGRAM = `import * as pulumi from "@pulumi/pulumi";
import { ContinuousDeployment, type MachineSettings } from "nixos";
const machine: MachineSettings = { instanceType: "t3.small", httpPorts: [80] };
const server = new ContinuousDeployment("server", { owner: "octo", repositoryName: "server", machine });
// @ts-expect-error -- a port is a number
const wrong: MachineSettings = { httpPorts: ["80"] };
export const url: pulumi.Output<string> = server.url;
export const unused = wrong;
`;

/** What Pulumi's template for TypeScript asks for, and the newer resolution; both strict. */
const COMPILATIONS: Record<string, object> = {
  "CommonJS and Node's old resolution": {
    module: "commonjs",
    moduleResolution: "node10",
    ignoreDeprecations: "6.0",
    esModuleInterop: false,
  },
  nodenext: { module: "nodenext", moduleResolution: "nodenext" },
};

describe("the npm package of the components", () => {
  let folder: string;
  let tarball: string;
  let installed: string;
  let manifest: Manifest;

  before(async () => {
    folder = realpathSync(mkdtempSync(path.join(tmpdir(), "npm-package-")));
    await buildPackage(ROOT, path.join(folder, "built"));
    tarball = await packPackage(path.join(folder, "built"), folder);

    const modules = path.join(folder, "program/node_modules");
    installed = path.join(modules, "nixos");
    mkdirSync(installed, { recursive: true });
    await execute("tar", ["-xzf", tarball, "-C", installed, "--strip-components=1"]);
    manifest = read<Manifest>(path.join(installed, "package.json"));
    for (const name of [...Object.keys(manifest.dependencies), "@types/node"]) {
      mkdirSync(path.dirname(path.join(modules, name)), { recursive: true });
      symlinkSync(path.join(ROOT, "node_modules", name), path.join(modules, name));
    }
    writeFileSync(path.join(folder, "program/package.json"), JSON.stringify({ name: "program", private: true }));
    writeFileSync(path.join(folder, "program/index.ts"), PROGRAM);
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  const node = (...args: string[]) => execute(process.execPath, args, { cwd: path.join(folder, "program") });

  describe("holds", () => {
    it("what the index needs, and nothing of the program, the plugin or the tests", () => {
      const sources = filesBelow(path.join(installed, "src")).map((file) => file.replace(/\.ts$/, ""));
      assert.deepEqual(
        sources.filter((name) => existsSync(path.join("program", `${name}.ts`))),
        [],
      );
      const built = [".js", ".js.map", ".d.ts", ".d.ts.map"];
      const deploy = filesBelow("components/deploy").map((file) => path.join("deploy", file));
      assert.ok(deploy.includes("deploy/deploy.mjs") && deploy.includes("deploy/remote/guard.sh"));
      assert.deepEqual(
        filesBelow(installed).sort(),
        [
          ...sources.flatMap((name) => [`src/${name}.ts`, ...built.map((suffix) => name + suffix)]),
          ...deploy,
          "deploy/rules.d.cts",
          ...["deployKey", "index", "token"].map((name) => `deploy/access/${name}.d.cts`),
          "LICENSE",
          "README.md",
          "package.json",
        ].sort(),
      );
    });

    it("maps that lead to sources in the package", () => {
      const maps = filesBelow(installed).filter((file) => file.endsWith(".map"));
      for (const map of maps) {
        const { sourceRoot, sources } = read<{ sourceRoot: string; sources: string[] }>(path.join(installed, map));
        assert.equal(sources.length, 1);
        assert.ok(existsSync(path.join(installed, path.dirname(map), sourceRoot, sources[0]!)), map);
      }
      assert.ok(maps.length > 40);
    });

    it("a package.json that publishes nothing by accident and names files that are there", () => {
      assert.equal(read<Manifest>("components/package.json").private, true);
      assert.equal(manifest.private, undefined);
      assert.equal(manifest.sideEffects, false);
      // Pulumi would look for a provider plugin of that name to download.
      assert.equal(manifest.pulumi, undefined);
      const named = [manifest.main, manifest.types, ...Object.values(manifest.exports).flatMap(Object.values<string>)];
      for (const file of named.filter((value) => value.startsWith("./"))) {
        assert.ok(existsSync(path.join(installed, file)), file);
      }
    });

    it("exactly the dependencies that its code and its types import, with a caret", () => {
      const code = filesBelow(installed).filter((file) => /^(?!src\/|deploy\/).*\.(js|d\.ts)$/.test(file));
      const imported = code.flatMap((file) => {
        const text = readFileSync(path.join(installed, file), "utf8");
        return [...text.matchAll(/(?:require\(|from |import\()"([^"]+)"/g)].map(([, name]) => name!);
      });
      const packages = imported
        .filter((name) => !name.startsWith(".") && !name.startsWith("node:"))
        .map((name) => /^(@[^/]+\/)?[^/]+/.exec(name)![0]);
      assert.deepEqual([...new Set(packages)].sort(), Object.keys(manifest.dependencies).sort());
      for (const range of Object.values(manifest.dependencies)) assert.match(range, /^\^\d+\.\d+\.\d+$/);
    });
  });

  describe("when it is imported", () => {
    const exported = Object.keys(components).sort();

    // Node's own permissions: without them nothing can be written, and no process or thread started.
    const permission = process.allowedNodeEnvironmentFlags.has("--permission")
      ? "--permission"
      : "--experimental-permission";
    const closed = [permission, "--allow-fs-read=*", "--no-warnings"];

    it("writes no file and starts no process", async () => {
      const { stdout } = await node(...closed, "-e", `console.log(Object.keys(require("nixos")).sort().join(" "))`);
      assert.equal(stdout.trim(), exported.join(" "));
    });

    it("would have been caught at it", async () => {
      await assert.rejects(node(...closed, "-e", `require("fs").writeFileSync("x", "")`), /ERR_ACCESS_DENIED/);
      await assert.rejects(node(...closed, "-e", `require("child_process").spawnSync("true")`), /ERR_ACCESS_DENIED/);
    });

    it("registers no resource", async () => {
      const { resources, invokes } = await run(cloud(), () => assert.equal(typeof load().NixosInstance, "function"));
      assert.deepEqual([resources, invokes], [[], []]);
    });

    it("gives its names to ECMAScript modules too", async () => {
      const program = `import * as nixos from "nixos"; console.log(Object.keys(nixos).sort().join(" "));`;
      const { stdout } = await node("--input-type=module", "-e", program);
      assert.deepEqual(
        stdout
          .trim()
          .split(" ")
          .filter((name) => exported.includes(name)),
        exported,
      );
    });
  });

  for (const [name, options] of Object.entries(COMPILATIONS)) {
    it(`type-checks in a strict program, ${name}`, async () => {
      const tsconfig = path.join(folder, "program/tsconfig.json");
      const compilerOptions = { strict: true, target: "es2022", noEmit: true, skipLibCheck: true, ...options };
      writeFileSync(tsconfig, JSON.stringify({ compilerOptions, files: ["index.ts"] }));
      try {
        await execute(process.execPath, [require.resolve("typescript/bin/tsc"), "--project", tsconfig]);
      } catch (error) {
        assert.fail((error as { stdout: string }).stdout);
      }
    });
  }

  describe("when a program uses it", () => {
    it("makes the same resources as the sources: URNs and options", async () => {
      const table = async ({ ContinuousDeployment }: typeof components) => {
        const { resources } = await run(cloud(), () => void new ContinuousDeployment("server", ARGS));
        return Object.fromEntries(resources.map(({ urn, options }) => [urn, options]));
      };
      const fromPackage = await table(load());
      assert.ok(Object.keys(fromPackage).length > 20);
      assert.deepEqual(fromPackage, await table(components));
    });

    it("finds the programs of deployments in the package, and they run from there", async () => {
      const { ContinuousDeployment } = load();
      assert.notEqual(ContinuousDeployment, components.ContinuousDeployment);
      const { resources, invokes } = await run(cloud(), () => void new ContinuousDeployment("server", ARGS));
      const place = (file: unknown) => path.resolve(file as string);
      assert.equal(place(only(resources, "command:local:Command").inputs["create"]), `${installed}/deploy/deploy.mjs`);
      const evaluation = invokes.find(({ token }) => token === "command:local:run");
      assert.equal(place(evaluation?.args["command"]), `${installed}/deploy/evaluate.mjs`);

      mkdirSync(path.join(folder, "program/nix"));
      writeFileSync(path.join(folder, "program/nix/flake.nix"), "{ outputs = _: { }; }\n");
      const environment = { EVALUATE_FLAKE: "path:./nix#default", EVALUATE_MODE: "hash", EVALUATE_CACHE: "false" };
      const { stdout } = await execute(process.execPath, [place(evaluation?.args["command"])], {
        cwd: path.join(folder, "program"),
        env: { ...process.env, ...environment },
      });
      assert.match(stdout, /^sha256-/);
    });
  });

  /** The installed package, evaluated anew; its dependencies are those of this process. */
  function load(): typeof components {
    for (const file of Object.keys(require.cache))
      if (file.startsWith(installed + path.sep)) delete require.cache[file];
    return createRequire(path.join(folder, "program/index.js"))("nixos") as typeof components;
  }

  describe("when npm installs it", () => {
    const wanted = read<Manifest>("package.json").dependencies;
    let program: string;

    before(async function () {
      program = path.join(folder, "with-npm");
      mkdirSync(program);
      // The versions that are tested here, which a computer that has installed this repository keeps in npm's cache.
      const pinned = Object.keys(manifest.dependencies).map((name) => [name, wanted[name]]);
      const dependencies = { nixos: `file:${tarball}`, ...Object.fromEntries(pinned) } as object;
      writeFileSync(path.join(program, "package.json"), JSON.stringify({ name: "p", private: true, dependencies }));
      const quiet = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"];
      const failure = await execute("npm", ["install", ...quiet], { cwd: program }).then(
        () => "",
        (error: { stderr: string }) => error.stderr,
      );
      const unreachable = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH/.test(failure);
      requireOrSkip(this, "registry", !unreachable, "the npm registry cannot be reached");
      assert.equal(failure, "");
    });

    it("has one copy of the SDK and of each provider, the program's", () => {
      const { packages } = read<{ packages: Record<string, Manifest> }>(path.join(program, "package-lock.json"));
      const places = Object.keys(packages).filter((place) => /\/@pulumi\/[^/]+$/.test(place));
      const expected = Object.keys(wanted).filter((name) => name.startsWith("@pulumi/"));
      assert.deepEqual(places.sort(), expected.map((name) => `node_modules/${name}`).sort());
    });

    it("loads", async () => {
      const script = `console.log(Object.keys(require("nixos")).length)`;
      const { stdout } = await execute(process.execPath, ["-e", script], { cwd: program });
      assert.equal(Number(stdout), Object.keys(components).length);
    });
  });
});
