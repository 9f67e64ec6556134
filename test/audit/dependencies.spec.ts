/**
 * What npm installs, read from the lock file without a network. Cannot prove: that a package holds what its author
 * wrote, or that no weakness of it is known. That everything runs without install scripts is proved by .ci/run, which
 * installs with `--ignore-scripts`.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

interface Package {
  integrity?: string;
  license?: string;
  dev?: boolean;
  link?: boolean;
  resolved?: string;
  hasInstallScript?: boolean;
}

/** Licences that ask for no more than a notice. */
const ALLOWED = [
  "(BSD-3-Clause AND Apache-2.0)",
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "BlueOak-1.0.0",
  "CC-BY-3.0",
  "CC0-1.0",
  "ISC",
  "MIT",
  "Python-2.0",
  "Unlicense",
];

/** Packages whose package.json does not name the licence, with the first line of the file that does. */
const NAMED_IN_A_FILE: Record<string, string> = {
  "node_modules/@logdna/tail-file": "The MIT License (MIT)",
};

/** Packages with a script that npm would run at installation, and what is missed without it. */
const SCRIPTS: Record<string, string> = {
  "node_modules/@pulumi/command": "fetches the provider's plugin, which the engine does by itself when it needs it",
  "node_modules/esbuild": "checks that the program for this system is there, which npm has installed as a package",
  "node_modules/protobufjs": "warns of an old way to name versions",
};

const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as { packages: Record<string, Package> };
/** The project's own packages: this one, and its workspaces with the links to them. */
const own = ({ link }: Package, place: string) => link === true || !place.startsWith("node_modules/");
const packages = Object.entries(lock.packages).filter(([place, entry]) => !own(entry, place));

describe("installed dependencies", () => {
  it("are all in the lock file with a SHA-512 of their content", () => {
    assert.ok(packages.length > 200);
    const open = packages.filter(([, { integrity }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ""));
    assert.deepEqual(
      open.map(([place]) => place),
      [],
    );
  });

  it("come from the registry, not from an address or Git, or from a folder that is not a workspace", () => {
    const elsewhere = packages.filter(([, { resolved }]) => /^(git|file|http:)/.test(resolved ?? ""));
    assert.deepEqual(elsewhere, []);
    const links = Object.values(lock.packages).filter(({ link }) => link === true);
    const outside = links.filter(({ resolved }) => !/^(components|policy|examples\/[\w-]+)$/.test(resolved ?? ""));
    assert.deepEqual(outside, []);
  });

  it("bring no install script but these, which nothing here needs", () => {
    const scripts = packages.filter(([, { hasInstallScript }]) => hasInstallScript === true).map(([place]) => place);
    assert.deepEqual(scripts.sort(), Object.keys(SCRIPTS).sort());
  });

  it("have licences that allow this use, as far as they are part of the product", () => {
    const production = packages.filter(([, { dev }]) => dev !== true);
    assert.ok(production.length > 100);
    const refused = production.filter(
      ([place, { license }]) => !ALLOWED.includes(license ?? "none") && NAMED_IN_A_FILE[place] === undefined,
    );
    assert.deepEqual(
      refused.map(([place, { license }]) => `${place}: ${license}`),
      [],
    );
  });

  for (const [place, title] of Object.entries(NAMED_IN_A_FILE)) {
    it(`name the licence in a file: ${place}`, () => {
      assert.equal(readFileSync(`${place}/LICENSE`, "utf8").split("\n", 1)[0]!.trim(), title);
    });
  }
});
