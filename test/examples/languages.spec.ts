/**
 * The examples in YAML, Python and Go beside the schema that their SDKs are generated from: every argument and output
 * that they name exists, and YAML's values have its types. Python and Go are parsed by their own tools.
 * Cannot prove: that the generated SDKs have these names in their spelling. test/engine/languages.spec.ts runs the example
 * in YAML whole where there is an engine; those in Python and Go need their SDKs from a registry.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";
import { hasCommand } from "../../cli/rehearse/commands";
import { requireOrSkip } from "../require";
import { componentSchema, type Property } from "../support/schema";

const EXAMPLES = path.resolve(__dirname, "../../examples");
const text = (file: string) => readFileSync(path.join(EXAMPLES, file), "utf8");

interface Project {
  runtime: string | { name: string };
  packages: Record<string, string>;
  config: Record<string, { type: string; description?: string }>;
  resources?: Record<string, { type: string; properties: Record<string, unknown> }>;
  outputs?: Record<string, string>;
}

const project = (language: string) => parse(text(`${language}/Pulumi.yaml`)) as Project;
const schema = componentSchema();
const typeOf = (reference: string) => schema.types[reference.replace("#/types/", "")]!;

/** What is wrong with a value, by where it stands. */
function problems(value: unknown, property: Property | undefined, place: string): string[] {
  if (property === undefined) return [`${place}: there is no such property`];
  // A reference to a configuration key or an output, which only a run resolves.
  if (typeof value === "string" && /^\$\{.*\}$/.test(value)) return [];
  if (property.$ref !== undefined) {
    const { properties } = typeOf(property.$ref);
    return Object.entries(value as object).flatMap(([key, inner]) =>
      problems(inner, properties[key], `${place}.${key}`),
    );
  }
  if (property.type === "array") {
    if (!Array.isArray(value)) return [`${place}: no array`];
    return value.flatMap((inner) => problems(inner, property.items, `${place}[]`));
  }
  return typeof value === property.type ? [] : [`${place}: ${typeof value} in place of ${property.type}`];
}

/** snake_case and PascalCase as the schema writes them. */
const camelCase = (name: string) =>
  name
    .replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
    .replace(/^[A-Z]/, (first) => first.toLowerCase());

/** The properties that can be given to what a program calls by a name, such as `MachineSettingsArgs`. */
function inputsOf(name: string): Record<string, Property> {
  const bare = name.replace(/^New/, "").replace(/Args$/, "");
  const found =
    schema.resources[`nixos:index:${bare}`]?.inputProperties ?? schema.types[`nixos:index:${bare}`]?.properties;
  return found ?? assert.fail(`the schema has no ${bare}`);
}

const SERVER = schema.resources["nixos:index:ContinuousDeployment"]!;

/** Both programs are short enough to be read by their calls: what is named in them, and under which name. */
function assertNames(calls: { name: string; given: string[] }[], outputs: string[], setsOwner: string[]): void {
  const given = calls.flatMap(({ name, given }) => given.map((key) => ({ name, key: camelCase(key) })));
  assert.ok(given.length >= 8, `found only ${JSON.stringify(given)}`);
  assert.deepEqual(
    given.filter(({ name, key }) => !(key in inputsOf(name))),
    [],
  );
  for (const key of SERVER.requiredInputs) assert.ok(setsOwner.map(camelCase).includes(key), key);
  assert.ok(outputs.length >= 5);
  assert.deepEqual(
    outputs.map(camelCase).filter((key) => !(key in SERVER.properties)),
    [],
  );
}

describe("examples in other languages", () => {
  for (const language of ["yaml", "python", "go"]) {
    it(`use the components of this repository as a plugin, and ask for the same two values: ${language}`, () => {
      const { packages, config } = project(language);
      assert.deepEqual(packages, { nixos: "../../components" });
      assert.ok(existsSync(path.join(EXAMPLES, language, packages["nixos"], "PulumiPlugin.yaml")));
      assert.deepEqual(Object.keys(config), ["owner", "repository"]);
    });

    it(`are under 60 lines, and say how they are run: ${language}`, () => {
      const program = { yaml: "yaml/Pulumi.yaml", python: "python/__main__.py", go: "go/main.go" }[language]!;
      assert.ok(text(program).split("\n").length < 60);
      assert.match(text(`${language}/README.md`), /pulumi package add .*components/);
    });
  }

  it("give arguments and name outputs that the schema has: yaml", () => {
    const { resources = {}, outputs = {} } = project("yaml");
    for (const [name, { type, properties }] of Object.entries(resources)) {
      const component = schema.resources[type.replace(/^nixos:/, "nixos:index:")];
      assert.ok(component, type);
      const found = Object.entries(properties).flatMap(([key, value]) =>
        problems(value, component.inputProperties[key], `${name}.${key}`),
      );
      assert.deepEqual(found, []);
      assert.deepEqual(
        component.requiredInputs.filter((key) => !(key in properties)),
        [],
      );
    }
    const named = Object.values(outputs).map((value) => /^\$\{(\w+)\.(\w+)\}$/.exec(value)!);
    assert.ok(named.length >= 5);
    assert.deepEqual(
      named.filter(([, name, key]) => name !== "server" || !(key! in SERVER.properties)),
      [],
    );
  });

  it("would not pass with a wrong name or type: yaml", () => {
    const machine = SERVER.inputProperties["machine"];
    assert.deepEqual(problems({ instanceType: "t3.small", httpPorts: [80] }, machine, "machine"), []);
    assert.deepEqual(problems({ size: "t3.small", httpPorts: ["80"] }, machine, "machine"), [
      "machine.size: there is no such property",
      "machine.httpPorts[]: string in place of number",
    ]);
  });

  it("give arguments and name outputs that the schema has: python", function () {
    requireOrSkip(this, "python", hasCommand("python3"), "python3 is not installed");
    const { calls, outputs } = JSON.parse(
      execFileSync("python3", ["-c", READ_PYTHON, path.join(EXAMPLES, "python/__main__.py")], { encoding: "utf8" }),
    ) as { calls: { name: string; given: string[] }[]; outputs: string[] };
    assertNames(calls, outputs, calls.find(({ name }) => name === "ContinuousDeployment")!.given);
  });

  it("give arguments and name outputs that the schema has: go", () => {
    const program = text("go/main.go").replaceAll(/"[^"]*"|\/\/.*/g, "");
    const outputs = [...program.matchAll(/server\.(\w+)/g)].map(([, key]) => key!);
    const calls = literals(program);
    assertNames(calls, outputs, calls.find(({ name }) => name === "ContinuousDeploymentArgs")!.given);
  });

  it("is formatted as Go is", function () {
    requireOrSkip(this, "go", hasCommand("gofmt"), "gofmt is not installed");
    assert.equal(execFileSync("gofmt", ["-l", "-e", path.join(EXAMPLES, "go")], { encoding: "utf8" }), "");
  });
});

/** The SDK's composite literals in a Go program without texts and comments, with the keys of each. */
function literals(program: string): { name: string; given: string[] }[] {
  const found: { name: string; given: string[] }[] = [];
  const open: ((typeof found)[number] | undefined)[] = [];
  for (const [token, name, key] of program.matchAll(/&nixos\.(\w+)\{|[{}]|(\w+):(?!=)/g)) {
    if (name !== undefined) found.push({ name, given: [] });
    if (token.endsWith("{")) open.push(name === undefined ? undefined : found.at(-1));
    else if (token === "}") open.pop();
    else open.at(-1)?.given.push(key!);
  }
  return found;
}

/** Prints the calls of the SDK with the names of their arguments, and the attributes of `server`. */
const READ_PYTHON = `
import ast, json, sys
tree = ast.parse(open(sys.argv[1]).read())
calls = [
    {"name": node.func.attr, "given": [keyword.arg for keyword in node.keywords]}
    for node in ast.walk(tree)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    and isinstance(node.func.value, ast.Name) and node.func.value.id == "nixos"
]
outputs = [
    node.attr for node in ast.walk(tree)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "server"
]
print(json.dumps({"calls": calls, "outputs": outputs}))
`;
