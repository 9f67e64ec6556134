/**
 * docs/faults.md beside the tests and the product. Cannot prove: that a test passes; the tests that it names do.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

interface Row {
  number: string;
  fault: string;
  promise: string;
  message: string;
  file: string;
  title: string;
}

/** What stands for a message where the product has none of its own. */
const NO_MESSAGE = ["—", "Nix's own message", "The service's own message"];

function rows(): Row[] {
  const lines = readFileSync("docs/faults.md", "utf8").split("\n");
  return lines
    .filter((line) => /^\| +\d/.test(line))
    .map((line) => {
      const [number, , fault, promise, message, test] = line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim());
      const place = /^`([^`]+)`: (?:`` (.+) ``|`(.+)`)$/.exec(test ?? "");
      assert.ok(place, `no file and title in: ${line}`);
      const title = place[2] ?? place[3]!;
      return {
        number: number!,
        fault: fault!,
        promise: promise!,
        message: message!,
        file: place[1]!,
        title,
      };
    });
}

function filesIn(folder: string, ending: RegExp): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return names.filter((name) => ending.test(name)).map((name) => path.join(folder, name));
}

/** Every marked test: its row's number, its file, and the source of the line below the mark. */
function marks(): { number: string; file: string; test: string }[] {
  return filesIn("test", /\.spec\.ts$/).flatMap((file) => {
    const found = readFileSync(file, "utf8").matchAll(/^ *\/\/ Fault (\d+)\n *((?:it|test)\(.*)$/gm);
    return [...found].map(([, number, test]) => ({ number: number!, file, test: test! }));
  });
}

describe("docs/faults.md", () => {
  const table = rows();
  const marked = marks();
  const product = ["components", "nix", "program", "cli"]
    .flatMap((folder) => filesIn(folder, /\.(ts|mjs|sh|nix)$/))
    .map((file) => readFileSync(file, "utf8"))
    .join("\n");

  /** What may be quoted: the product, and of the engine what its test has seen it say. */
  const says = (file: string) => (file.startsWith("test/engine/") ? readFileSync(file, "utf8") : product);

  it("has rows that are numbered, each with a promise", () => {
    const numbers = table.map(({ number }) => Number(number));
    assert.deepEqual(
      numbers,
      [...new Set(numbers)].sort((one, other) => one - other),
    );
    for (const { number, fault, promise } of table) assert.ok(fault !== "" && promise !== "", `row ${number}`);
  });

  for (const { number, fault, message, file, title } of table) {
    it(`${number} (${fault}): its message is the product's, and its test is there`, () => {
      const literal = /^`(.+)`$/.exec(message)?.[1];
      if (literal === undefined) assert.ok(NO_MESSAGE.includes(message), `not a message: ${message}`);
      else assert.ok(says(file).includes(literal), `neither the product nor Pulumi says: ${literal}`);
      const own = marked.filter((mark) => mark.number === number);
      assert.equal(own.length, 1, `marks "// Fault ${number}" over a test`);
      assert.equal(path.normalize(file), own[0]!.file);
      assert.ok(
        [`("${title}",`, `(\`${title}\`,`].some((call) => own[0]!.test.replace(/^\w+/, "").startsWith(call)),
        `the marked test is: ${own[0]!.test}`,
      );
    });
  }

  it("has a row for every test that is marked", () => {
    const numbers = new Set(table.map(({ number }) => number));
    assert.deepEqual(
      marked.filter(({ number }) => !numbers.has(number)),
      [],
    );
  });
});
