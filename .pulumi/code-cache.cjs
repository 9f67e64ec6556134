// Keeps the machine code of modules between starts.
const inspector = require("node:inspector");
const { enableCompileCache } = require("node:module");
const { FOLDER } = require("./cache.cjs");

// Node does it itself from 22.1 on. Before, it would not stop at the first line for a debugger.
if (enableCompileCache) enableCompileCache(FOLDER);
else if (inspector.url() === undefined) require("./code-cache-node20.cjs");
