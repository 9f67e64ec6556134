// Where Pulumi starts this folder as a plugin. It has set up ts-node by now, which would compile the components under
// the tsconfig.json of whatever program uses them, type check included: seconds at every start, and an error where that
// file asks for more or allows less than they were written for. tsx only strips the types.
delete require.extensions[".ts"];
module.exports = require("tsx/cjs/api").require("./index.ts", __filename);
