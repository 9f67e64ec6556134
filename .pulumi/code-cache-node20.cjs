// What module.enableCompileCache does from Node 22.1 on; to be removed together with Node 20.
const Module = require("node:module");
const path = require("node:path");
const v8 = require("node:v8");
const vm = require("node:vm");
const { crc32 } = require("node:zlib");
const { read, write } = require("./cache.cjs");

const NAME = `code-${process.version}-${process.arch}`;
/** Machine code of the last run, by the source that it was made of. */
const kept = readKept();
/** The scripts of this run. */
const scripts = new Map();
let fresh = false;

function readKept() {
  try {
    return v8.deserialize(read(NAME));
  } catch {
    return new Map();
  }
}

const compile = Module.prototype._compile;

Module.prototype._compile = function (content, file, format) {
  const script = format === "module" ? undefined : scriptOf(content, file);
  if (script === undefined) return compile.call(this, content, file, format);
  const run = script.runInThisContext();
  return run.call(this.exports, this.exports, Module.createRequire(file), this, file, path.dirname(file));
};

/** Undefined for what only Node's own way can load or refuse: ES modules, syntax errors. */
function scriptOf(content, file) {
  const source = `${path.basename(file)} ${content.length} ${crc32(content)}`;
  const cachedData = kept.get(source);
  try {
    const script = new vm.Script(Module.wrap(content), {
      filename: file,
      columnOffset: -Module.wrapper[0].length,
      cachedData,
      importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    });
    fresh ||= cachedData === undefined || script.cachedDataRejected;
    scripts.set(source, script);
    return script;
  } catch {
    return undefined;
  }
}

// After the run, because the code of a function is made when it is first called.
process.once("exit", () => {
  if (!fresh) return;
  const code = [...scripts].map(([source, script]) => [source, script.createCachedData()]);
  write(NAME, v8.serialize(new Map(code)));
});
