// Keeps Pulumi's SDK from work whose results no program here uses.
const Module = require("node:module");

const requireFromSdk = Module.createRequire(require.resolve("@pulumi/pulumi"));

// What the SDK needs only to turn functions into resources; loading both takes as long as the rest of it.
for (const name of ["@npmcli/arborist", "./typescript-shim"]) {
  const file = fileOf(name);
  if (file !== undefined) require.cache[file] = { id: file, filename: file, loaded: true, exports: later(file) };
}

/** Undefined when a later SDK has no such module: then there is nothing to keep it from. */
function fileOf(name) {
  try {
    return requireFromSdk.resolve(name);
  } catch {
    return undefined;
  }
}

/** Stands for a module until something of it is used. */
function later(file) {
  let exports;
  const loaded = () => {
    if (exports === undefined) {
      delete require.cache[file];
      exports = require(file);
    }
    return exports;
  };
  // The SDK takes modules that say so as they are, and copies the others.
  return new Proxy({}, { get: (_, name) => (name === "__esModule" ? true : loaded()[name]) });
}

// The SDK notes the stack of every promise, a hundred for each resource, for a report of leaks that it only prints with
// PULUMI_DEBUG_PROMISE_LEAKS. Errors keep their stacks. By the next tick Pulumi's runner has loaded the SDK, and not yet
// the program.
process.nextTick(() => {
  const debuggable = require.cache[requireFromSdk.resolve("./runtime/debuggable")]?.exports;
  if (debuggable === undefined || debuggable.debugPromiseLeaks) return;
  const { debuggablePromise } = debuggable;
  debuggable.debuggablePromise = (...args) => {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    try {
      return debuggablePromise(...args);
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  };
});
