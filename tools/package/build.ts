import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What the folder of the components needs to be started as a plugin from its sources, and JavaScript does not. */
const SOURCE_ONLY = ["tsx", "typescript"];

interface Manifest {
  name: string;
  version: string;
  description: string;
  license: string;
  engines?: object;
  dependencies: Record<string, string>;
}

/**
 * Builds the components as an npm package: JavaScript, declarations, maps and the sources that they lead to, and the
 * programs that deployments run.
 *
 * @param root the folder of the project
 * @param folder the folder of the package, emptied first
 */
export async function buildPackage(root: string, folder: string): Promise<void> {
  const components = path.join(root, "components");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await compile(root, path.join(components, "tsconfig.build.json"), folder);

  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  for (const built of files.filter((file) => file.endsWith(".js"))) {
    const source = built.replace(/\.js$/, ".ts");
    cpSync(path.join(components, source), path.join(folder, "src", source));
  }
  // The compiler writes one root for all maps, and whoever reads one goes by the folder that the map is in.
  for (const map of files.filter((file) => file.endsWith(".map") && path.dirname(file) !== ".")) {
    const content = JSON.parse(readFileSync(path.join(folder, map), "utf8")) as { sourceRoot: string };
    content.sourceRoot = path.join(path.relative(path.dirname(map), "."), content.sourceRoot);
    writeFileSync(path.join(folder, map), JSON.stringify(content));
  }
  cpSync(path.join(components, "deploy"), path.join(folder, "deploy"), { recursive: true });
  // Of the rules that the components share with the programs the compiler leaves the types, which are needed, and maps,
  // which lead from a file to itself.
  for (const map of files.filter((file) => /\.c[jt]s\.map$/.test(file)))
    rmSync(path.join(folder, map), { force: true });
  cpSync(path.join(components, "README.md"), path.join(folder, "README.md"));
  cpSync(path.join(root, "LICENSE"), path.join(folder, "LICENSE"));

  const read = (file: string) => JSON.parse(readFileSync(file, "utf8")) as Manifest;
  const { engines } = read(path.join(root, "package.json"));
  const manifest = packageManifest({ ...read(path.join(components, "package.json")), engines });
  writeFileSync(path.join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** Packs a built package; returns the file. */
export async function packPackage(folder: string, destination: string): Promise<string> {
  const args = ["pack", folder, "--json", "--ignore-scripts", "--pack-destination", destination];
  const { stdout } = await run("npm", args, { shell: process.platform === "win32" });
  const [packed] = JSON.parse(stdout) as { filename: string }[];
  return path.join(destination, packed!.filename);
}

async function compile(root: string, tsconfig: string, folder: string): Promise<void> {
  const compiler = path.join(root, "node_modules/typescript/bin/tsc");
  try {
    await run(process.execPath, [compiler, "--project", tsconfig, "--outDir", folder]);
  } catch (error) {
    throw new Error(`The components do not compile:\n${(error as { stdout: string }).stdout}`, { cause: error });
  }
}

/**
 * The providers stay plain dependencies with a caret, as in Pulumi's own component packages: npm then installs one copy
 * of each beside the program's, and a program with none of its own needs to name none. With exact versions, or with
 * copies below this package, a stack would get two default providers of one kind.
 */
function packageManifest({ name, version, description, license, engines, dependencies }: Manifest): object {
  const needed = Object.entries(dependencies).filter(([dependency]) => !SOURCE_ONLY.includes(dependency));
  return {
    name,
    version,
    description,
    license,
    engines,
    keywords: ["pulumi", "nixos", "aws", "github", "continuous-deployment"],
    main: "./index.js",
    types: "./index.d.ts",
    exports: { ".": { types: "./index.d.ts", default: "./index.js" }, "./package.json": "./package.json" },
    sideEffects: false,
    dependencies: Object.fromEntries(needed),
  };
}
