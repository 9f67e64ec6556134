/**
 * The components as a Pulumi package: what the SDK's own analyzer makes of them, which is what every other language sees.
 *
 * The analyzer cannot mark anything as secret (its version has no way to say so), so the schema of another language does
 * not know which inputs and outputs are: the components see to it at run time, and the test compares what they do with
 * what their descriptions say.
 *
 * Cannot prove: that an SDK generated from it compiles; test/engine/languages.spec.ts does where there is an engine.
 */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import * as components from "../components/index";
import { cloud } from "./support/cloud";
import { newKey } from "../cli/rehearse/keys";
import { run } from "./support/mocks";
import { type Property as Documented, readPackage } from "../tools/docs/read";
import { analyze, componentSchema, type Property, type Schema } from "./support/schema";
import { Secret } from "./support/wire";

const TOKEN = "nixos:index:";

/** The type of a property as the pages of docs/components write it. */
function written({ $ref, type, items, additionalProperties }: Property): string {
  if ($ref !== undefined) return $ref.split(":").at(-1)!;
  if (items !== undefined) return `${written(items)}[]`;
  return additionalProperties === undefined ? type! : `{ [key: string]: ${written(additionalProperties)} }`;
}

/** What a page says of properties, read from the sources or from the schema. */
const ofSources = (properties: Documented[]) =>
  Object.fromEntries(
    properties.map(({ name, type, optional, description }) => [name, { type, optional, description }]),
  );
const ofSchema = (properties: Record<string, Property>, required: string[]) =>
  Object.fromEntries(
    Object.entries(properties).map(([name, property]) => {
      const { description } = property;
      return [name, { type: written(property), optional: !required.includes(name), description }];
    }),
  );

/** Every description of a schema, by where it stands. */
function* descriptions({ resources, types }: Schema): Generator<[string, string | undefined]> {
  for (const [token, { description, inputProperties, properties }] of Object.entries(resources)) {
    yield [token, description];
    for (const [key, property] of Object.entries(inputProperties)) yield [`${token} ${key}`, property.description];
    for (const [key, property] of Object.entries(properties)) yield [`${token} .${key}`, property.description];
  }
  for (const [token, { properties }] of Object.entries(types)) {
    for (const [key, property] of Object.entries(properties)) yield [`${token} ${key}`, property.description];
  }
}

describe("the schema of the components", () => {
  let schema: Schema;

  before(() => {
    schema = componentSchema();
  });

  // These pages are the schema as somebody last read it: test/docs.spec.ts holds them to the sources.
  it("is what docs/components says: names, types, what must be given, and the words", () => {
    const { components: documented, settings } = readPackage(process.cwd());
    assert.equal(documented.length, Object.keys(schema.resources).length);
    for (const { name, args, outputs } of documented) {
      const { inputProperties, requiredInputs, properties, required } = schema.resources[TOKEN + name]!;
      assert.deepEqual(ofSources(args.flatMap((part) => part.properties)), ofSchema(inputProperties, requiredInputs));
      assert.deepEqual(ofSources(outputs), ofSchema(properties, required));
    }
    const types = Object.entries(schema.types);
    assert.deepEqual(
      Object.fromEntries(settings.map(({ name, properties }) => [TOKEN + name, ofSources(properties)])),
      Object.fromEntries(types.map(([name, { properties, required }]) => [name, ofSchema(properties, required)])),
    );
  });

  it("has every class that the package exports under its token, and nothing but components", () => {
    const exported = Object.keys(components).map((name) => TOKEN + name);
    assert.deepEqual(Object.keys(schema.resources).sort(), exported.sort());
    assert.ok(Object.values(schema.resources).every(({ isComponent }) => isComponent));
  });

  it("says that all outputs are always there", () => {
    for (const { properties, required } of Object.values(schema.resources)) {
      assert.deepEqual([...required].sort(), Object.keys(properties).sort());
    }
  });

  it("describes every component, every input and output, and every property of their types", () => {
    const all = [...descriptions(schema)];
    assert.ok(all.length > 150);
    assert.deepEqual(
      all.filter(([, description]) => !description).map(([place]) => place),
      [],
    );
  });
});

describe("what the schema calls secret", () => {
  const documented = (properties: Record<string, Property>) =>
    Object.keys(properties).filter((key) => /\bSecret\./.test(properties[key]!.description ?? ""));
  const marked = (values: Record<string, unknown>) =>
    Object.keys(values).filter((key) => values[key] instanceof Secret);

  let seen: { type: string; name: string; inputs: Record<string, unknown>; outputs: Record<string, unknown> }[];

  before(async () => {
    const { privateKeyOpenssh: key, publicKeyOpenssh: hostPublicKey } = newKey();
    const repository = { owner: "octo", repositoryName: "server" };
    const { resources } = await run(cloudWithCache(), () => {
      new components.ContinuousDeployment("server", { ...repository, integration: { cache: true } });
      // As a stack gives them that has them from elsewhere: in plain.
      new components.ContinuousDeployment("adopted", { ...repository, adoptedKey: key, adoptedHostKey: key });
      new components.NixosInstance("plain", { keyName: "laptop", identityKey: key, hostKey: key });
      const machine = { host: "192.0.2.7", hostPublicKey: hostPublicKey.trim(), instanceId: "i-0a1b2c3d4e5f60718" };
      new components.NixosDeployment("plain", { ...machine, privateKey: key });
    });
    const made = resources.filter(({ type }) => type.startsWith(TOKEN));
    seen = made.map(({ type, name, inputs, outputs = {} }) => ({ type, name, inputs, outputs }));
  });

  it("is secret in the state, and nothing else is", () => {
    for (const { type, name, inputs, outputs } of seen) {
      const { inputProperties, properties } = componentSchema().resources[type]!;
      assert.deepEqual(marked(outputs).sort(), documented(properties).sort(), `outputs of ${type} ${name}`);
      const given = documented(inputProperties).filter((key) => inputs[key] !== undefined);
      assert.deepEqual(marked(inputs).sort(), given.sort(), `inputs of ${type} ${name}`);
    }
  });

  it("is all of it looked at here", () => {
    const inSchema = Object.entries(componentSchema().resources).flatMap(([type, { inputProperties, properties }]) =>
      [...documented(inputProperties), ...documented(properties)].map((key) => `${type} ${key}`),
    );
    const lookedAt = seen.flatMap(({ type, inputs, outputs }) =>
      [...marked(inputs), ...marked(outputs)].map((key) => `${type} ${key}`),
    );
    assert.ok(inSchema.length > 8);
    assert.deepEqual([...new Set(lookedAt)].sort(), inSchema.sort());
  });
});

function cloudWithCache() {
  const answers = cloud();
  const bucket = () => ({ arn: "arn:aws:s3:::cache", bucket: "cache", region: "eu-west-1" });
  const named = (name: string) => ({ name });
  const parts = "ServerSideEncryptionConfiguration PublicAccessBlock Policy LifecycleConfiguration".split(" ");
  return {
    ...answers,
    resources: {
      ...answers.resources,
      "aws:s3/bucket:Bucket": bucket,
      ...Object.fromEntries(parts.map((part) => [`aws:s3/bucket${part}:Bucket${part}`, () => ({})])),
      "aws:iam/role:Role": named,
      "aws:iam/rolePolicy:RolePolicy": named,
      "aws:iam/instanceProfile:InstanceProfile": named,
    },
  };
}

describe("a component that other languages could not use", () => {
  let folder: string;

  // One component with what it imports is enough, and quicker.
  const schemaWith = (before: RegExp, after: string) => {
    const file = path.join(folder, "components/sshKeyPair.ts");
    const source = readFileSync("components/sshKeyPair.ts", "utf8");
    assert.match(source, before);
    // One resource's types in place of all of EC2's: most of the time goes into reading them.
    writeFileSync(file, source.replace(before, after).replace("@pulumi/aws/ec2", "@pulumi/aws/ec2/keyPair"));
    return analyze(path.dirname(file), ["SshKeyPair"]).resources[`${TOKEN}SshKeyPair`];
  };

  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), "schema-"));
    symlinkSync(path.resolve("node_modules"), path.join(folder, "node_modules"));
    for (const file of ["package.json", "sshKeyPair.ts", "keys", "values"]) {
      cpSync(path.join("components", file), path.join(folder, "components", file), { recursive: true });
    }
    writeFileSync(path.join(folder, "components/index.ts"), 'export * from "./sshKeyPair";\n');
  });

  after(() => rmSync(folder, { recursive: true }));

  const argument = /keyName\?: pulumi\.Input<string>;/;
  const output = /public readonly keyName: pulumi\.Output<string>;/;

  it("is refused for an argument that is one of two types", () => {
    assert.throws(
      () => schemaWith(argument, "keyName?: pulumi.Input<string | number>;"),
      /union types are not supported/i,
    );
  });

  it("is refused for an argument of a type without a name", () => {
    assert.throws(() => schemaWith(argument, "keyName?: { name: string };"), /keyName/);
  });

  it("is refused for a field that is a function", () => {
    assert.throws(() => schemaWith(output, "$& private readonly note = () => {};"), /note/);
  });

  it("shows a private field to everyone, so that the page of its component changes", () => {
    const { properties } = componentSchema().resources[`${TOKEN}SshKeyPair`]!;
    const changed = schemaWith(output, "$& private readonly note: pulumi.Output<string>;");
    assert.deepEqual(changed!.properties, { ...properties, note: { type: "string" } });
  });
});
