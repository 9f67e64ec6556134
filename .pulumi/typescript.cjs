// Lets Node load TypeScript: strips the types of each file once, and keeps the result until the file changes.
const { createHash } = require("node:crypto");
const fs = require("node:fs");
const Module = require("node:module");
const path = require("node:path");
const { read, write } = require("./cache.cjs");

const OPTIONS = { target: "es2022", module: "nodenext", inlineSourceMap: true };
const { version } = require("typescript/package.json");

/** What was loaded, with the source map in its last line. */
const compiled = new Map();

Module._extensions[".ts"] = (module, file) => {
  const source = fs.readFileSync(file, "utf8");
  const key = createHash("sha256")
    .update(JSON.stringify([OPTIONS, version, path.basename(file), source]))
    .digest("hex");
  const kept = read(`${key}.js`)?.toString();
  const code = kept ?? compile(source, file);
  if (kept === undefined) write(`${key}.js`, code);
  compiled.set(file, code);
  module._compile(code, file);
};

function compile(source, file) {
  // Only here, because loading the compiler takes longer than everything else.
  const ts = require("typescript");
  const result = ts.transpileModule(source, { fileName: file, compilerOptions: OPTIONS, reportDiagnostics: true });
  if (result.diagnostics.length === 0) return result.outputText;
  const host = {
    getCanonicalFileName: (name) => name,
    getCurrentDirectory: () => process.cwd(),
    getNewLine: () => "\n",
  };
  // Pulumi shows the message of a SyntaxError without the stack, which would only tell how files are loaded.
  throw new SyntaxError(ts.formatDiagnostics(result.diagnostics, host));
}

// Stack traces name the lines of the TypeScript files. The library is the one that Pulumi's SDK has put in place already;
// without this it looks for source maps in the files on disk, and reads those of the whole SDK.
Module.createRequire(require.resolve("@pulumi/pulumi"))("source-map-support").install({
  overrideRetrieveFile: true,
  retrieveFile: (file) => compiled.get(file) ?? "",
});
