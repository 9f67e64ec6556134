/**
 * Defaults: what the descriptions of the components say (`@default`) is what the components do, what their table has, and
 * what the deployment program has.
 * Cannot prove: a default that shows in no resource.
 */
import assert from "node:assert/strict";
import { type Property, readPackage } from "../tools/docs/read";
import { DEFAULTS as DEPLOYMENT } from "../components/deploy/rules.cjs";
import { DEFAULTS } from "../components/values/defaults";
import { readSettings } from "../components/deploy/settings.mjs";
import { ContinuousDeployment, type ContinuousDeploymentArgs } from "../components/index";
import { stackConfig } from "../program/stackConfig";
import { readWorkflows } from "../program/workflows";
import { cloud } from "./support/cloud";
import { defaultConfig } from "./support/program";
import { newKey } from "../cli/rehearse/keys";
import { run } from "./support/mocks";

/** The parts of ContinuousDeployment's arguments, and the interfaces that describe them. */
const PARTS = {
  machine: "MachineSettings",
  repository: "RepositorySettings",
  deployment: "DeploymentSettings",
  integration: "IntegrationSettings",
};
const OWN = { owner: "octo", repositoryName: "server" };
const REPOSITORY = JSON.stringify({ owner: "octo", name: "server", branch: "main", access: "deploy-key" });

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

  it("of the descriptions are those of the table, which has no other", () => {
    const { machine, repository, deployment, integration, ...own } = DEFAULTS;
    const all = { MachineSettings: machine, RepositorySettings: repository, IntegrationSettings: integration };
    const described = { ...all, ContinuousDeploymentArgs: own, DeploymentSettings: deployment };
    let compared = 0;
    for (const [name, values] of Object.entries<Record<string, unknown>>(described)) {
      const properties = new Map(settings[name]!.map((property) => [property.name, property]));
      for (const [key, value] of Object.entries(values)) {
        // A port is an argument of the deployment alone.
        if (key === "sshPort") continue;
        const property = properties.get(key);
        assert.ok(property?.default !== undefined, `${name}.${key}`);
        const said = valueOf(property);
        // The others are told in words, and are empty.
        if (said === undefined) assert.deepEqual(value, [], `${name}.${key}`);
        else assert.deepEqual(value, said, `${name}.${key}`);
        compared += 1;
      }
    }
    assert.ok(compared >= 40, `${compared}`);
  });

  it("hold for an empty configuration, which gives the resources that no configuration gives", async () => {
    const empty = stackConfig(defaultConfig(), "pulumi-nixos", REPOSITORY, readWorkflows("."), []);
    assert.deepEqual(await resourcesOf(empty), await resourcesOf(OWN));
  });

  it("of the deployment program are those of the component", () => {
    const { privateKeyOpenssh, publicKeyOpenssh } = newKey();
    const told = readSettings({
      DEPLOY_HOST: "192.0.2.7",
      DEPLOY_HOST_KEY: publicKeyOpenssh,
      DEPLOY_PRIVATE_KEY: privateKeyOpenssh,
      DEPLOY_DERIVATION: "sha256-x",
    });
    const { flake, sshPort, extraArguments, ...all } = DEPLOYMENT;
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
