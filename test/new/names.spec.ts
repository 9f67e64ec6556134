/**
 * No file has npm fetch one of our packages by its name: in the registry, that name may belong to anybody. Every tracked
 * manifest, lock file, and command in a text, and those of a server's repository. Cannot prove: what a person types.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { serverOf } from "../../cli/new/source";
import { ROOT } from "../../cli/rehearse/project";
import { requireCommands } from "../require";
import { repositoryFiles } from "../support/template";

type Manifest = Record<string, unknown> & { name?: string };

const LISTS = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "overrides"];
/** A folder, an archive, or an address of Git; for npm, everything else is a version in the registry. */
const NO_VERSION = /^(file:|link:|\.{0,2}\/|git[+:@]|github:|https?:\/\/)/;
const COMMAND = /\b(?:npm (?:i|install|add|exec)|npx|yarn add|pnpm add|bun add)((?: +[^\s`'"|&;]+)+)/g;

/** What a manifest would have fetched by name, of these packages. */
function byName(manifest: Manifest, ours: string[]): string[] {
  return LISTS.flatMap((list) => Object.entries((manifest[list] ?? {}) as Record<string, string>))
    .filter(
      ([name, version]) =>
        ours.includes(unscoped(version.replace(/^npm:/, ""))) ||
        (ours.includes(unscoped(name)) && !NO_VERSION.test(version)),
    )
    .map(([name, version]) => `${name}@${version}`);
}

/** What the commands in a text would have fetched by name. */
function commanded(text: string, ours: string[]): string[] {
  return [...text.matchAll(COMMAND)]
    .flatMap(([, words]) => words!.trim().split(/ +/))
    .filter((word) => ours.includes(unscoped(word)));
}

/** `@scope/name@1` and `name@1` are `name`. */
function unscoped(word: string): string {
  return word.replace(/^@[\w-]+\//, "").replace(/@.*$/, "");
}

describe("the names of our packages", () => {
  const texts = new Map<string, string>();
  const ours: string[] = [];

  before(function () {
    requireCommands(this, "git", "git");
    for (const file of repositoryFiles()) texts.set(file, readFileSync(path.join(ROOT, file), "utf8"));
    for (const [place, { text }] of serverOf(ROOT, "my-server")) texts.set(`my-server/${place}`, text);
    for (const [, manifest] of manifests()) if (manifest.name !== undefined) ours.push(manifest.name);
  });
  const manifests = () =>
    [...texts]
      .filter(([file]) => path.basename(file) === "package.json")
      .map(([file, text]) => [file, JSON.parse(text) as Manifest] as const);

  it("are known, the components' first, which their tokens and URNs come from", () => {
    for (const name of ["nixos", "nixos-policy", "pulumi-nixos", "pulumi-nixos-program"])
      assert.ok(ours.includes(name), name);
    assert.equal(manifests().find(([file]) => file === "components/package.json")?.[1].name, "nixos");
  });

  it("are recognized in every form that would be fetched", () => {
    for (const version of ["^0.1.0", "*", "latest", "", "npm:nixos@1"])
      assert.equal(byName({ dependencies: { nixos: version } }, ours).length, 1, version);
    assert.equal(byName({ devDependencies: { other: "npm:nixos@1" } }, ours).length, 1);
    for (const version of ["file:../../components", "git+https://github.com/a/b.git", "github:a/b", "./x.tgz"])
      assert.deepEqual(byName({ dependencies: { nixos: version } }, ours), [], version);
    assert.deepEqual(commanded("run `npm install --save nixos@0.1.0` and npx nixos-policy", ours), [
      "nixos@0.1.0",
      "nixos-policy",
    ]);
    assert.deepEqual(commanded("npm install ./nixos-0.1.0.tgz; npx pulumi up", ours), []);
  });

  it("are in no manifest as a version", () => {
    assert.ok(manifests().length > 12);
    const found = manifests().flatMap(([file, manifest]) => byName(manifest, ours).map((name) => `${file}: ${name}`));
    assert.deepEqual(found, []);
  });

  it("are nothing that a lock file has from a registry", () => {
    const locks = [...texts].filter(([file]) => path.basename(file) === "package-lock.json");
    assert.ok(locks.length >= 2);
    for (const [file, text] of locks) {
      const { packages } = JSON.parse(text) as { packages: Record<string, Manifest & { link?: true }> };
      for (const [place, entry] of Object.entries(packages)) {
        const name = /(?:^|.*\/)node_modules\/(.+)$/.exec(place)?.[1];
        if (name !== undefined && ours.includes(name)) assert.equal(entry.link, true, `${file}: ${place}`);
        // npm repeats the root's workspaces and each member's own list.
        assert.deepEqual(byName(entry, ours), [], `${file}: ${place}`);
      }
    }
  });

  it("are in no command of a text", () => {
    const found = [...texts].flatMap(([file, text]) =>
      file === "test/new/names.spec.ts" ? [] : commanded(text, ours).map((word) => `${file}: ${word}`),
    );
    assert.deepEqual(found, []);
  });
});
