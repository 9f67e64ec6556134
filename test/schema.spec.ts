/**
 * The components as a Pulumi package: what the SDK's own analyzer makes of them, which is what every other language sees.
 * Cannot prove: that an SDK generated from it compiles, or that a program of another language gets its outputs.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { Analyzer } from "@pulumi/pulumi/provider/experimental/analyzer";
import { generateSchema } from "@pulumi/pulumi/provider/experimental/schema";
import * as components from "../components/index";

interface Component {
  isComponent: boolean;
  description?: string;
  inputProperties: Record<string, Property>;
  requiredInputs: string[];
  properties: Record<string, Property>;
  required: string[];
}

interface Property {
  description?: string;
  plain?: boolean;
}

/** What `pulumi package get-schema ./components` prints, without an engine. */
function schemaOf(folder: string) {
  const manifest = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8")) as {
    name: string;
    version: string;
    description: string;
  };
  const names = new Set(Object.keys(components));
  const analyzer = new Analyzer(folder, manifest.name, manifest, names);
  const { components: found, typeDefinitions, dependencies } = analyzer.analyze();
  const { name, version, description } = manifest;
  return generateSchema(name, version, description, found, typeDefinitions, dependencies);
}

/** Inputs with a star when they are required; all outputs are always there. */
const GOLDEN: Record<string, { inputs: string; outputs: string }> = {
  SshKeyPair: {
    inputs: "adoptedKey generations keyName protect",
    outputs: "ageRecipient ageRecipients keyName privateKeyOpenssh publicKeyOpenssh publicKeysOpenssh",
  },
  NixosInstance: {
    inputs:
      "amiId hostKey* httpCidrBlocks httpIpv6CidrBlocks httpPorts identityKey* instanceProfile instanceType ipv6Only " +
      "keyName* protect release rootVolumeGiB sshCidrBlocks sshIpv6CidrBlocks subnetId tags",
    outputs: "amiId hostPublicKey instanceId publicDns publicIp securityGroupId",
  },
  ProtectedRepository: {
    inputs:
      "access branch create deployKeyGeneration deployKeyTitle deployPublicKey enforceAdmins name* onDestroy owner* plan " +
      "protect protection requiredChecks requiredReviews visibility",
    outputs: "fullName httpUrl repositoryId repositoryName sshUrl upgradeFlake",
  },
  NixosDeployment: {
    inputs:
      "allowDirty allowFailedUnits buildOn confirmSeconds evaluate evaluationCache extraArguments flake host* " +
      "hostPublicKey* instanceId* machinePublicKey privateKey* repository sshPort substitute switchSeconds triggers " +
      "waitSeconds",
    outputs: "deployedHost derivation systemPath",
  },
  ContinuousDeployment: {
    inputs:
      "access adoptedHostKey adoptedKey branch deployment integration keyGenerations machine owner* protect repository " +
      "repositoryName* separateMachineKey",
    outputs:
      "ageRecipient ageRecipients cachePublicKey cacheSubstituter deployedGenerations derivation hostPublicKey " +
      "identityKey instanceId loginPublicKeys privateKey publicDns publicIp repositoryUrl sshCommand systemPath " +
      "upgradeFlake url",
  },
  BinaryCache: {
    inputs: "bucketName expirationDays forceDestroy protect signingKeyName",
    outputs: "bucketArn publicKey readerProfileName readerRoleArn secretKey substituter",
  },
  GithubActionsAccess: {
    inputs:
      "branch cacheBucketArn environment machineName machineRoleArn oidcProviderArn owner* ownerId repositoryId " +
      "repositoryName* stateBucketArn stateKeyArn",
    outputs: "cacheRoleArn deployRoleArn driftRoleArn oidcProviderArn previewRoleArn",
  },
};

describe("the schema of the components", () => {
  let resources: Record<string, Component>;

  // Compiles the components' types, which takes most of the time here.
  before(() => {
    resources = schemaOf(path.resolve("components")).resources as Record<string, Component>;
  });

  it("has every class that the package exports, under its token, and all of them here", () => {
    assert.deepEqual(Object.keys(components).sort(), Object.keys(GOLDEN).sort());
    assert.deepEqual(
      Object.keys(resources).sort(),
      Object.keys(components)
        .map((name) => `nixos:index:${name}`)
        .sort(),
    );
  });

  for (const [name, golden] of Object.entries(GOLDEN)) {
    it(`has these inputs of ${name}`, () => {
      const { inputProperties, requiredInputs } = resources[`nixos:index:${name}`]!;
      const marked = Object.keys(inputProperties).map((key) => (requiredInputs.includes(key) ? `${key}*` : key));
      assert.equal(marked.sort().join(" "), golden.inputs);
    });

    it(`has these outputs of ${name}, all of them always there`, () => {
      const { properties, required } = resources[`nixos:index:${name}`]!;
      assert.equal(Object.keys(properties).sort().join(" "), golden.outputs);
      assert.deepEqual([...required].sort(), Object.keys(properties).sort());
    });
  }

  it("describes every component, input and output", () => {
    const bare = Object.entries(resources).flatMap(([token, { description, inputProperties, properties }]) => [
      ...(description ? [] : [token]),
      ...Object.entries({ ...inputProperties, ...properties })
        .filter(([, property]) => !property.description)
        .map(([key]) => `${token}.${key}`),
    ]);
    assert.deepEqual(bare, []);
  });

  it("has nothing but components", () => {
    assert.deepEqual(new Set(Object.values(resources).map(({ isComponent }) => isComponent)), new Set([true]));
  });
});
