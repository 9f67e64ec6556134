// Loaded by Node before the program (see `nodeargs` in Pulumi.yaml), so that a preview starts fast without a build step.
// Pulumi would load the whole TypeScript compiler at every start, and type-check what changed; here types are checked by
// the editor, `npm run build` and CI.
require("./code-cache.cjs");
require("./sdk.cjs");
require("./typescript.cjs");
