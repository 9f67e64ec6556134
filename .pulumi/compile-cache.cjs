// Loaded by Node before the program (see `nodeargs` in Pulumi.yaml): keeps compiled code between runs.
// The function exists from Node 22.1 on; on Node 20 the program starts without it, only slower.
require("node:module").enableCompileCache?.();
