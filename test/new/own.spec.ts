/**
 * A repository of a server's own: made of a clone, its two commands run in it, and brought to a changed version. Clone,
 * git, npm's rules and the commands are real; the packages are this checkout's. Cannot prove: that the registry has
 * them (test/system/ownRepository.spec.ts).
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { nixMissing } from "../../cli/rehearse/upgrade/evaluate";
import { requireCommands } from "../require";
import { Workshop } from "./workshop";

describe("a server's own repository", function () {
  let workshop: Workshop;
  let server: string;

  before(async function () {
    requireCommands(this, "git", "git");
    workshop = new Workshop();
    server = await workshop.server();
  });
  after(() => workshop?.remove());

  it("has few files to see, and none of the program's tests, examples and workshop", () => {
    const files = workshop.files(server);
    const seen = files.filter((file) => !file.startsWith(".pulumi-nixos/"));
    assert.ok(seen.length <= 90, `${seen.length} files`);
    for (const needed of ["README.md", "index.ts", "nix/machine.nix", "Pulumi.yaml", ".github/workflows/ci.yml"])
      assert.ok(seen.includes(needed), needed);
    const workshops = files.filter((file) =>
      /(^|\/)(test|examples|tools|template|\.ci)\/|test\.yml|\.spec\.ts|CHANGELOG|mocharc|eslint|faults\.md/.test(file),
    );
    assert.deepEqual(workshops, []);
    assert.ok(readFileSync(path.join(server, "README.md"), "utf8").split("\n").length <= 30);
    assert.match(readFileSync(path.join(server, "Pulumi.yaml"), "utf8"), /^name: my-server$/m);
    assert.doesNotMatch(readFileSync(path.join(server, "Pulumi.yaml"), "utf8"), /^template:/m);
  });

  it("names only files that there are", () => {
    const texts = workshop
      .files(server)
      .filter((file) => /^(index\.ts|Pulumi\.yaml|package\.json|README\.md|\.github\/)|\.sh$/.test(file))
      .map((file) => readFileSync(path.join(server, file), "utf8"));
    const named = texts.flatMap((text) => [...text.matchAll(/\.pulumi-nixos\/[\w./-]*\w/g)].map(([name]) => name));
    assert.ok(named.length > 15, `${named.length} names`);
    for (const name of new Set(named))
      assert.ok(
        [name, `${name}.ts`].some((file) => existsSync(path.join(server, file))),
        name,
      );
  });

  it("has the lock file that npm itself would write", async () => {
    const before = readFileSync(path.join(server, "package-lock.json"), "utf8");
    const args = ["install", "--package-lock-only", "--offline", "--ignore-scripts", "--no-audit", "--no-fund"];
    const { code, stderr } = await workshop.run(server, "npm", args);
    assert.equal(code, 0, stderr);
    assert.equal(readFileSync(path.join(server, "package-lock.json"), "utf8"), before);
  });

  it("checks itself, and finds what is wrong", async () => {
    const good = await workshop.script(server, "test");
    assert.equal(good.code, 0, good.stdout + good.stderr);
    assert.match(good.stdout, /ok +stack dev +its configuration is valid/);
    assert.match(good.stdout, /note +policies, dev +ssh-not-open-to-the-world/);

    const stack = path.join(server, "Pulumi.dev.yaml");
    const text = readFileSync(stack, "utf8");
    writeFileSync(stack, `${text}  my-server:rootVolumeGiB: 2\n`);
    const bad = await workshop.script(server, "test");
    assert.equal(bad.code, 1);
    assert.match(bad.stdout, /FAIL +stack dev +.*rootVolumeGiB/s);
    writeFileSync(stack, text);

    // The engine refuses these by the types in Pulumi.yaml, whatever stands in them.
    for (const group of ["", "'{}'", "{ secure: v1:abc }"]) {
      writeFileSync(stack, `${text}  my-server:machine: ${group}\n`);
      const none = await workshop.script(server, "test");
      assert.equal(none.code, 1, none.stdout);
      assert.match(none.stdout, /FAIL +stack dev +.*my-server:machine: got .*; allowed: a group of keys/s);
    }
    writeFileSync(stack, text);

    const nix = path.join(server, "nix/machine.nix");
    const machine = readFileSync(nix, "utf8");
    writeFileSync(nix, machine.replace("{", ""));
    const unparsed = await workshop.script(server, "test");
    writeFileSync(nix, machine);
    if (nixMissing() === undefined) assert.match(unparsed.stdout, /FAIL +flake +.*syntax error/);

    // The file of the policies that is the owner's.
    const policies = path.join(server, ".pulumi-nixos/policy/config.json");
    writeFileSync(policies, '{ "ssh-not-open-to-the-world": "mandatory" }\n');
    const strict = await workshop.script(server, "test");
    writeFileSync(policies, "{}\n");
    assert.equal(strict.code, 1);
    assert.match(strict.stdout, /FAIL +policies, dev +ssh-not-open-to-the-world: TCP port 22 is open/);
  });

  it("rehearses the whole life of its stack", async () => {
    const { code, stdout, stderr } = await workshop.script(server, "rehearse", "--no-engine", "--no-machine");
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /create the stack +\d+ created, system deployed/);
  });
});
