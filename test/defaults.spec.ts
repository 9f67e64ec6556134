/**
 * Defaults: what the descriptions of the components say (`@default`) is what the components do, and what Pulumi.yaml
 * and the deployment program have.
 * Cannot prove: a default that shows in no resource.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { type Property, readPackage } from "../tools/docs/read";
import { DEFAULTS } from "../components/deploy/rules.cjs";
import { readSettings } from "../components/deploy/settings.mjs";
import { ContinuousDeployment, type ContinuousDeploymentArgs } from "../components/index";
import { CONFIG_KEYS, stackConfig } from "../program/stackConfig";
import { readWorkflows } from "../program/workflows";
import { cloud } from "./support/cloud";
import { newKey } from "../cli/rehearse/keys";
import { run } from "./support/mocks";

/** Where the argument of a configuration key has another name. */
const RENAMED: Record<string, string> = {
  createRepository: "create",
  githubOwnerId: "ownerId",
};
/** The parts of ContinuousDeployment's arguments, and the interfaces that describe them. */
const PARTS = { machine: "MachineSettings", repository: "RepositorySettings", deployment: "DeploymentSettings" };
const OWN = { owner: "octo", repositoryName: "server" };
const REPOSITORY = JSON.stringify({ owner: "octo", name: "server", branch: "main", access: "deploy-key" });

interface Yaml {
  config: Record<string, { default: unknown }>;
}

/** The value of a description's default; undefined where it is a sentence. */
function valueOf({ default: text }: Property): unknown {
  try {
    return JSON.parse(text ?? "") as unknown;
  } catch {
    return undefined;
  }
}

/** All providers' resources of a program, without what is random in them. */
async function resourcesOf(args: ContinuousDeploymentArgs): Promise<string[]> {
  const { resources, invokes } = await run(cloud(), () => new ContinuousDeployment("nixos", args));
  const custom = resources
    .filter((resource) => resource.custom)
    .map(({ type, name, inputs, options }) => ({ type, name, inputs, options }));
  return [...custom, ...invokes]
    .map((one) =>
      JSON.stringify(one)
        .replaceAll(/-----BEGIN.*?END OPENSSH PRIVATE KEY-----/g, "KEY")
        .replaceAll(/ssh-ed25519 [A-Za-z0-9+/]+|age1\w+/g, "KEY"),
    )
    .sort();
}

describe("defaults", function () {
  let settings: Record<string, Property[]>;
  const { config } = parse(readFileSync("Pulumi.yaml", "utf8")) as Yaml;

  before(() => {
    const { components, settings: others } = readPackage(".");
    const args = components.find(({ name }) => name === "ContinuousDeployment")!.args[0]!;
    settings = Object.fromEntries([...others, args].map(({ name, properties }) => [name, properties]));
  });

  it("of the descriptions are what the components do when nobody says anything", async () => {
    const documented = (name: string): Record<string, unknown> =>
      Object.fromEntries(
        settings[name]!.filter((property) => property.optional && valueOf(property) !== undefined).map((property) => [
          property.name,
          valueOf(property),
        ]),
      );
    const parts = Object.entries(PARTS).map(([part, name]): [string, object] => [part, documented(name)]);
    const said = { ...documented("ContinuousDeploymentArgs"), ...OWN, ...Object.fromEntries<unknown>(parts) };
    assert.ok(parts.flatMap(([, values]) => Object.keys(values)).length >= 25);
    assert.deepEqual(await resourcesOf(said as ContinuousDeploymentArgs), await resourcesOf(OWN));
  });

  it("of Pulumi.yaml are those of the descriptions", () => {
    const all = Object.values(settings).flat();
    let compared = 0;
    for (const [key, { default: written }] of Object.entries(config)) {
      const property = all.find(({ name }) => name === (RENAMED[key] ?? key));
      // What only the root program has, such as which system reports the checks.
      if (property === undefined) continue;
      const described = valueOf(property);
      // A key of the schema needs a default of its type: the empty text, the empty list and 0 say "none".
      if (described === undefined)
        assert.ok(["", "[]", "0"].includes(written === "" ? "" : JSON.stringify(written)), key);
      else assert.deepEqual(written, described, key);
      compared += 1;
    }
    assert.ok(compared >= Object.keys(config).length - 2, `${compared} of ${Object.keys(config).length}`);
  });

  it("of Pulumi.yaml give the resources that no configuration gives", async () => {
    assert.deepEqual(Object.keys(config).sort(), Object.keys(CONFIG_KEYS).sort());
    const engine = Object.entries(config).map(([key, { default: value }]) => [
      `pulumi-nixos:${key}`,
      typeof value === "string" ? value : JSON.stringify(value),
    ]);
    const read = (values: Record<string, string>) =>
      stackConfig(values, "pulumi-nixos", REPOSITORY, readWorkflows("."), []);
    const written = await resourcesOf(read(Object.fromEntries(engine) as Record<string, string>));
    assert.deepEqual(written, await resourcesOf(read({})));
    assert.deepEqual(written, await resourcesOf(OWN));
  });

  it("of the deployment program are those of the component", () => {
    const { privateKeyOpenssh, publicKeyOpenssh } = newKey();
    const told = readSettings({
      DEPLOY_HOST: "192.0.2.7",
      DEPLOY_HOST_KEY: publicKeyOpenssh,
      DEPLOY_PRIVATE_KEY: privateKeyOpenssh,
      DEPLOY_DERIVATION: "sha256-x",
    });
    const { flake, sshPort, extraArguments, ...all } = DEFAULTS;
    // The component alone evaluates.
    const rest = Object.fromEntries(Object.entries(all).filter(([name]) => !name.startsWith("evaluat")));
    assert.deepEqual(
      { ...told, ...rest, flake: flake, port: sshPort, extraArguments: [...extraArguments] },
      {
        ...told,
        flake: told.flake.reference,
      },
    );
  });
});
