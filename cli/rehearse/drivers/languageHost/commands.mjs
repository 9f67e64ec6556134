// @ts-check
// What the host runs for a request: one command with its arguments and its environment.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import process from "node:process";

/**
 * @typedef {import("@pulumi/pulumi/proto/language_pb.js").ProgramInfo} ProgramInfo
 * @typedef {import("@pulumi/pulumi/proto/language_pb.js").RunRequest} RunRequest
 * @typedef {import("@pulumi/pulumi/proto/language_pb.js").RunPluginRequest} RunPluginRequest
 * @typedef {{ arguments: string[], environment: NodeJS.ProcessEnv, directory?: string }} Command
 * @typedef {{ typescript: boolean, tsconfig: string, nodeargs: string[] }} Options
 */

/** The kind of plugin that a policy pack is. */
export const POLICY_PACK = "analyzer";

/**
 * `runtime.options` of a project, a plugin or a policy pack.
 * @param {ProgramInfo | undefined} info
 * @returns {Options}
 */
export function optionsOf(info) {
  const given = /** @type {Record<string, unknown>} */ (info?.getOptions()?.toJavaScript() ?? {});
  const { typescript = true, tsconfig = "", nodeargs = "", production = false, packagemanager = "npm" } = given;
  if (typeof typescript !== "boolean") throw new Error("typescript option must be a boolean");
  if (typeof tsconfig !== "string") throw new Error("tsconfigpath option must be a string");
  if (typeof nodeargs !== "string") throw new Error("nodeargs option must be a string");
  if (typeof production !== "boolean") throw new Error("production option must be a boolean");
  if (packagemanager !== "npm" && packagemanager !== "auto")
    throw new Error(`this stand-in for Pulumi's language host knows npm, not ${JSON.stringify(packagemanager)}`);
  return { typescript, tsconfig, nodeargs: words(nodeargs) };
}

/**
 * The program of a stack.
 * @param {RunRequest} request
 * @param {string} engine
 * @returns {Command}
 */
export function programCommand(request, engine) {
  const info = programInfo(request);
  const options = optionsOf(info);
  const directory = info.getProgramDirectory();
  /** @type {[string, string][]} */
  const flags = [
    ["monitor", request.getMonitorAddress()],
    ["engine", engine],
    ["organization", request.getOrganization()],
    ["project", request.getProject()],
    ["root-directory", info.getRootDirectory()],
    ["stack", request.getStack()],
    ["pwd", directory],
  ];
  return {
    arguments: [
      ...options.nodeargs,
      located("@pulumi/pulumi/cmd/run", directory, "pulumi install"),
      ...flags.flatMap(([name, value]) => (value === "" ? [] : [`--${name}`, value])),
      ...(request.getDryrun() ? ["--dry-run"] : []),
      "--parallel",
      String(request.getParallel()),
      info.getEntryPoint(),
      ...request.getArgsList(),
    ],
    environment: {
      ...process.env,
      PULUMI_CONFIG: JSON.stringify(Object.fromEntries(request.getConfigMap().toArray().map(withOldKey))),
      PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
      ...typescriptEnvironment(options),
    },
  };
}

/**
 * A plugin that is written in Node: components for other languages, or a policy pack.
 * @param {RunPluginRequest} request
 * @returns {Command}
 */
export function pluginCommand(request) {
  const info = programInfo(request);
  const options = optionsOf(info);
  const directory = info.getProgramDirectory();
  const isPolicyPack = request.getKind() === POLICY_PACK;
  const program = isPolicyPack ? "@pulumi/pulumi/cmd/run-policy-pack" : "@pulumi/pulumi/cmd/run-plugin";
  const rest = isPolicyPack ? [...request.getArgsList(), directory] : [directory, ...request.getArgsList()];
  const given = request.getEnvList().map((/** @type {string} */ each) => {
    const at = each.indexOf("=");
    return [each.slice(0, at), each.slice(at + 1)];
  });
  return {
    // In this order: what nodeargs has is an argument of the plugin, not of Node.
    arguments: [located(program, directory, `npm install in ${directory}`), ...options.nodeargs, ...rest],
    environment: { ...Object.fromEntries(given), ...typescriptEnvironment(options) },
    directory: isPolicyPack ? directory : request.getPwd(),
  };
}

/**
 * What the program or its lock file says that it depends on.
 * @param {ProgramInfo} info
 * @param {boolean} transitive
 * @returns {{ name: string, version: string }[]}
 */
export function dependenciesOf(info, transitive) {
  const file = upwards(info.getProgramDirectory(), "package-lock.json");
  if (file === undefined)
    throw new Error(`no package-lock.json found (searching upwards from ${info.getProgramDirectory()})`);
  const { packages = {} } = JSON.parse(readFileSync(file, "utf8"));
  const direct = { ...packages[""]?.dependencies, ...packages[""]?.devDependencies };
  return Object.entries(/** @type {Record<string, { version?: string, link?: boolean }>} */ (packages))
    .filter(([place, { version }]) => place.startsWith("node_modules/") && version !== undefined)
    .map(([place, { version }]) => ({ name: place.split("node_modules/").pop() ?? "", version: version ?? "" }))
    .filter(({ name }) => transitive || name in direct);
}

/**
 * The version of TypeScript that a program would load.
 * @param {string} directory
 * @returns {string | undefined}
 */
export function typescriptVersion(directory) {
  try {
    return createRequire(path.join(directory, "package.json"))("typescript/package.json").version;
  } catch {
    return undefined;
  }
}

/** @param {{ getInfo(): ProgramInfo | undefined }} request */
export function programInfo(request) {
  const info = request.getInfo();
  if (info === undefined) throw new Error("the engine did not say which program it means");
  return info;
}

/** @param {Options} options */
function typescriptEnvironment({ typescript, tsconfig }) {
  return {
    ...(typescript ? { PULUMI_NODEJS_TYPESCRIPT: "true" } : {}),
    ...(tsconfig === "" ? {} : { PULUMI_NODEJS_TSCONFIG_PATH: tsconfig }),
  };
}

/**
 * Keys as old versions of the SDK want them, which new ones take too.
 * @param {[string, string]} entry
 */
function withOldKey([key, value]) {
  const at = key.indexOf(":");
  return [`${key.slice(0, at)}:config:${key.slice(at + 1)}`, value];
}

/**
 * @param {string} module
 * @param {string} directory
 * @param {string} install
 */
function located(module, directory, install) {
  try {
    return createRequire(path.join(directory, "package.json")).resolve(module);
  } catch {
    throw new Error(`It looks like the Pulumi SDK has not been installed. Have you run ${install}?`);
  }
}

/**
 * @param {string} folder
 * @param {string} name
 * @returns {string | undefined}
 */
function upwards(folder, name) {
  if (existsSync(path.join(folder, name))) return path.join(folder, name);
  const parent = path.dirname(folder);
  return parent === folder ? undefined : upwards(parent, name);
}

/**
 * The words of a text, as a shell would read it.
 * @param {string} text
 */
function words(text) {
  const quoted = /'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)|([^\s'"\\]+)/gs;
  const found = text.match(/(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+/gs) ?? [];
  return found.map((word) =>
    word.replace(
      quoted,
      (_, single, double, escaped, plain) => single ?? double?.replace(/\\(["\\$`])/g, "$1") ?? escaped ?? plain,
    ),
  );
}
