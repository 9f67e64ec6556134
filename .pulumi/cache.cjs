const fs = require("node:fs");
const path = require("node:path");

/**
 * Where results are kept from start to start; `npm ci` removes it. Not the temporary folder, which is Node's own choice:
 * there another user of the computer could leave code for the program, which holds the keys of production.
 */
const FOLDER = path.join(installed(), ".cache/pulumi-nixos");

/** The folder of the packages: beside this one, or higher where the program is in a folder of a server's repository. */
function installed() {
  return module.paths.find((folder) => fs.existsSync(folder)) ?? path.resolve(__dirname, "../node_modules");
}

/** What is kept under a name; undefined when there is nothing. */
function read(name) {
  try {
    return fs.readFileSync(path.join(FOLDER, name));
  } catch {
    return undefined;
  }
}

/** Whoever reads meanwhile finds the whole file or none. */
function write(name, data) {
  const file = path.join(FOLDER, name);
  const temporary = `${file}.${process.pid}`;
  try {
    fs.mkdirSync(FOLDER, { recursive: true });
    fs.writeFileSync(temporary, data);
    fs.renameSync(temporary, file);
  } catch {
    // A full disk, or a folder that cannot be written, costs the time of doing it again.
  }
}

module.exports = { FOLDER, read, write };
