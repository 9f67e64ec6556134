/**
 * The files that say which packages the project is made of, and Pulumi.yaml beside the code that reads its values.
 * Cannot prove: that `npm ci` succeeds, or prints no warning of another kind than a package's wish for a Node version.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { GROUPS } from "../program/configKeys";
import { configSchema } from "./support/program";

interface Manifest {
  version: string;
  main?: string;
  engines?: { node?: string };
  scripts?: Record<string, string>;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  pulumi?: { resource: boolean; name: string; version: string };
}

interface Lock {
  packages: Record<string, Manifest>;
}

/** npm's own rules of versions, which the Pulumi SDK brings. */
interface Semver {
  satisfies(version: string, range: string): boolean;
}

const read = <T>(file: string) => JSON.parse(readFileSync(file, "utf8")) as T;
const manifest = read<Manifest>("package.json");
const components = read<Manifest>("components/package.json");
const lock = read<Lock>("package-lock.json");
const semver = createRequire(require.resolve("@pulumi/pulumi"))("semver") as Semver;

describe("package.json", () => {
  it("pins every dependency exactly", () => {
    const ranges = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    assert.ok(ranges.length > 15);
    assert.deepEqual(
      ranges.filter(([, range]) => !/^\d+\.\d+\.\d+$/.test(range)),
      [],
    );
  });

  it("pins these versions of the SDK and the providers", () => {
    const { dependencies = {} } = manifest;
    assert.equal(dependencies["@pulumi/pulumi"], "3.248.0");
    assert.equal(dependencies["@pulumi/aws"], "7.48.0");
    assert.equal(dependencies["@pulumi/tls"], "5.6.1");
    assert.equal(dependencies["@pulumi/command"], "1.2.1");
    assert.equal(dependencies["@pulumi/github"], "6.15.0");
  });

  it("has TypeScript below 7 and the official CLI wrapper for development", () => {
    const { devDependencies = {} } = manifest;
    assert.ok(semver.satisfies(devDependencies["typescript"]!, "<7"));
    assert.ok("pulumi" in devDependencies);
  });

  it("has the scripts that README and workflow name", () => {
    for (const script of [
      "rehearse",
      "test",
      "test:system",
      "test:engine",
      "build",
      "lint",
      "format",
      "format-check",
    ]) {
      assert.ok(manifest.scripts?.[script], script);
    }
  });
});

describe("the installed packages", () => {
  for (const provider of ["aws", "tls", "command", "github"]) {
    it(`are what they say: @pulumi/${provider}`, () => {
      const { version, pulumi } = read<Manifest>(`node_modules/@pulumi/${provider}/package.json`);
      assert.equal(version, manifest.dependencies?.[`@pulumi/${provider}`]);
      assert.equal(pulumi?.resource, true);
      assert.equal(pulumi?.name, provider);
      assert.equal(pulumi?.version, version);
    });
  }

  // The registry's newest, 4.5.0, is a stray: its `pulumi` section asks for a plugin that does not exist.
  it("hold no other @pulumi/command than 1.2.1", () => {
    const places = Object.entries(lock.packages).filter(([place]) => place.endsWith("node_modules/@pulumi/command"));
    assert.deepEqual(
      places.map(([place, { version }]) => [place, version]),
      [["node_modules/@pulumi/command", "1.2.1"]],
    );
  });

  it("are one SDK for all providers, or resources of one would be strangers to another", () => {
    const places = Object.keys(lock.packages).filter((place) => place.endsWith("node_modules/@pulumi/pulumi"));
    assert.deepEqual(places, ["node_modules/@pulumi/pulumi"]);
  });

  // npm warns of each package that does not. Of Node 22, as of 20, only what is in support: eslint asks for 22.13.
  for (const node of ["20.20.0", "22.13.0", "24.0.0"]) {
    it(`all admit Node ${node}`, () => {
      const wishes = Object.entries(lock.packages).filter(([, { engines }]) => engines?.node !== undefined);
      assert.ok(wishes.length > 100);
      const unhappy = wishes.filter(([, { engines }]) => !semver.satisfies(node, engines!.node!));
      assert.deepEqual(
        unhappy.map(([place, { engines }]) => `${place}: ${engines!.node}`),
        [],
      );
    });
  }

  it("stand in the lock file as package.json asks", () => {
    const root = lock.packages[""]!;
    assert.deepEqual(root.dependencies, manifest.dependencies);
    assert.deepEqual(root.devDependencies, manifest.devDependencies);
  });
});

describe("components/package.json", () => {
  it("admits every version that the program pins", () => {
    for (const [name, range] of Object.entries(components.dependencies ?? {})) {
      const pinned = { ...manifest.devDependencies, ...manifest.dependencies }[name];
      assert.ok(pinned !== undefined, `package.json does not have ${name}`);
      assert.ok(semver.satisfies(pinned, range), `${name}: ${range} leaves out ${pinned}`);
    }
  });
});

describe("Pulumi.yaml", () => {
  const schema = configSchema();

  it("declares the groups of keys that the program knows, and no key of theirs", () => {
    assert.deepEqual(Object.keys(schema), Object.keys(GROUPS));
    for (const [group, { type, description, default: value }] of Object.entries(schema)) {
      // Without a default it would be required.
      assert.deepEqual([type, value], ["object", {}], group);
      assert.ok(description!.length > 20, group);
    }
  });

  it("keeps what the two start options need: a file that loads, and nothing of Pulumi's own for TypeScript", () => {
    const text = readFileSync("Pulumi.yaml", "utf8");
    const [, nodeargs] = /nodeargs: "--require (\S+)"/.exec(text) ?? [];
    assert.doesNotThrow(() => require.resolve(`${process.cwd()}/${nodeargs}`));
    assert.match(text, /^ {4}typescript: false$/m);
  });
});
