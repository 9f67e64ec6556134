/** The documentation's files: what is made from sources is current, everything can be found, and no link leads nowhere. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { CONFIG_KEYS } from "../program/configKeys";
import { configurationPage } from "../tools/docs/configuration";
import { componentPages } from "../tools/docs/pages";
import { readPackage } from "../tools/docs/read";

const ROOT = path.resolve(__dirname, "..");
const DOCS = path.join(ROOT, "docs");

const pagesBelow = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".md"))
    .map((file) => path.join(folder, file));

/** What a page links to in this repository, as files. */
function linksOf(page: string): string[] {
  const text = readFileSync(page, "utf8").replaceAll(/```.*?```/gs, "");
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!.split("#")[0]!);
  const here = targets.filter((target) => target !== "" && !/^[a-z]+:/.test(target));
  return here.map((target) => path.resolve(path.dirname(page), target));
}

describe("docs/components", () => {
  const { components, settings } = readPackage(ROOT);

  it("is what `npm run docs` makes", async () => {
    const expected = await componentPages(ROOT);
    const actual = new Map(
      pagesBelow(path.join(DOCS, "components")).map((file) => [path.basename(file), readFileSync(file, "utf8")]),
    );
    assert.deepEqual(Object.fromEntries(actual), Object.fromEntries(expected));
  });

  it("gives every optional argument its default, or says what happens without it", () => {
    const optional = [...components.flatMap(({ args }) => args), ...settings].flatMap(({ name, properties }) =>
      properties.filter((property) => property.optional).map((property) => ({ ...property, place: name })),
    );
    const bare = optional.filter(
      ({ type, description, default: value }) =>
        value === undefined && !/[Ww]ithout|Goes with/.test(description) && !type.endsWith("Settings"),
    );
    assert.deepEqual(
      bare.map(({ place, name }) => `${place}.${name}`),
      [],
    );
  });
});

describe("docs/configuration.md", () => {
  it("is what `npm run docs` makes", async () => {
    assert.equal(readFileSync(path.join(DOCS, "configuration.md"), "utf8"), await configurationPage(ROOT));
  });
});

describe("commands that set the configuration", () => {
  const sources = ["components", "program", "cli", "policy"].flatMap((folder) =>
    readdirSync(path.join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => /\.(ts|mjs|cjs|sh)$/.test(file) && !file.includes("node_modules"))
      .map((file) => path.join(ROOT, folder, file)),
  );
  const pages = [...pagesBelow(DOCS), ...["README.md", "SECURITY.md"].map((file) => path.join(ROOT, file))];

  it("name keys that there are, those of groups with --path", () => {
    const commands = [...sources, ...pages].flatMap((file) =>
      [
        ...readFileSync(file, "utf8").matchAll(
          /pulumi config (?:set|rm) ((?:--\w+ )*)'?([a-z]\w*(?:\.\w+)?)(?![\w:.])/g,
        ),
      ].map(([command, options, key]) => ({ file: path.relative(ROOT, file), command, options: options!, key: key! })),
    );
    assert.ok(commands.length > 25, `${commands.length}`);
    const wrong = commands.filter(
      ({ options, key }) => !(key in CONFIG_KEYS) || (key.includes(".") && !options.includes("--path ")),
    );
    assert.deepEqual(
      wrong.map(({ file, command }) => `${file}: ${command}`),
      [],
    );
  });
});

describe("docs/README.md", () => {
  it("leads to every page", () => {
    const index = linksOf(path.join(DOCS, "README.md"));
    const ofComponents = linksOf(path.join(DOCS, "components/README.md"));
    const found = new Set([...index, ...ofComponents, path.join(DOCS, "README.md")]);
    const pages = pagesBelow(DOCS);
    assert.ok(pages.length > 20);
    assert.deepEqual(
      pages.filter((page) => !found.has(page)).map((page) => path.relative(ROOT, page)),
      [],
    );
  });
});

describe("links between files", () => {
  it("lead to files that are there", () => {
    const top = ["README.md", "CHANGELOG.md", "SECURITY.md", "components/README.md"].map((file) =>
      path.join(ROOT, file),
    );
    const examples = pagesBelow(path.join(ROOT, "examples")).filter((file) => !file.includes("node_modules"));
    const pages = [...top, ...pagesBelow(DOCS), ...examples];
    const broken = pages.flatMap((page) =>
      linksOf(page)
        .filter((target) => !existsSync(target))
        .map((target) => `${path.relative(ROOT, page)}: ${path.relative(ROOT, target)}`),
    );
    assert.deepEqual(broken, []);
  });
});
