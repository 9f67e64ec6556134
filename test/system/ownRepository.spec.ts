/**
 * A server's own repository as its owner gets it: made of a clone, packages from the registry by its own lock file, and
 * its two commands. Cannot prove: what the registry has tomorrow.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import * as path from "node:path";
import { Workshop } from "../new/workshop";
import { requireCommands, requireOrSkip } from "../require";

describe("a server's own repository, with packages of its own", () => {
  let workshop: Workshop;
  let server: string;

  before(async function () {
    requireCommands(this, "git", "git");
    workshop = new Workshop();
    server = await workshop.server();
    rmSync(path.join(server, "node_modules"));
    const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
    const { code, stderr } = await workshop.run(server, "npm", args);
    const unreachable = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENOTCACHED|ETIMEDOUT/.test(stderr);
    requireOrSkip(this, "registry", !unreachable, "the npm registry cannot be reached");
    assert.equal(code, 0, stderr);
  });
  after(() => workshop?.remove());

  it("has one copy of each package, and no test runner", () => {
    const installed = readdirSync(path.join(server, "node_modules"));
    for (const name of ["mocha", "eslint", "prettier"]) assert.ok(!installed.includes(name), name);
    for (const folder of ["", "components", "policy"])
      assert.ok(!readdirSync(path.join(server, ".pulumi-nixos", folder)).includes("node_modules"), folder);
  });

  for (const script of ["test", "build", "rehearse"])
    it(`runs npm run ${script}, which leaves nothing behind`, async () => {
      const options = script === "rehearse" ? ["--", "--no-engine", "--no-machine"] : [];
      const { code, stdout, stderr } = await workshop.run(server, "npm", ["run", script, ...options]);
      assert.equal(code, 0, stdout + stderr);
      assert.equal(workshop.git(server, "status", "--porcelain"), "");
    });

  it("names the manifest's packages with exact versions", () => {
    const { dependencies } = JSON.parse(readFileSync(path.join(server, ".pulumi-nixos/package.json"), "utf8")) as {
      dependencies: Record<string, string>;
    };
    for (const [name, version] of Object.entries(dependencies)) assert.match(version, /^\d/, name);
  });
});
