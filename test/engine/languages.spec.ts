/**
 * A program without Node under a real Pulumi engine: examples/yaml, which has the components from the plugin. The engine
 * starts the plugin itself; its npm is stood in for, because what it would install is there.
 * Cannot prove: the same of Python and Go, whose SDKs need their registries; test/examples/languages.spec.ts holds those
 * examples against the schema.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { ContinuousDeployment } from "../../components/index";
import type { Example } from "../examples/definitions";
import { ExampleStage, rows } from "../examples/stage";
import type { RecordedResource } from "../../cli/rehearse/drivers/driver";
import { isMarkedSecret } from "../../cli/rehearse/emulators/values";
import { exposedKeys } from "../../cli/rehearse/records";
import { requireOrSkip } from "../require";
import { cloud } from "../support/cloud";
import { hasCommand } from "../../cli/rehearse/commands";
import { requireEngine } from "../support/engine";
import { run } from "../support/mocks";

const yaml: Example = {
  name: "yaml",
  programs: [
    {
      folder: "yaml",
      stack: "dev",
      config: () => ({ owner: "example", repository: "pulumi-nixos" }),
      resources: [],
    },
  ],
};

describe("the engine: examples/yaml", function () {
  let stage: ExampleStage;
  const outside = process.env["PATH"];
  const bin = mkdtempSync(path.join(tmpdir(), "languages-"));

  before(async function () {
    const cli = await requireEngine(this);
    process.env["PATH"] = [bin, path.dirname(cli), outside].join(path.delimiter);
    requireOrSkip(
      this,
      "engine",
      hasCommand("pulumi-language-yaml"),
      "no pulumi-language-yaml beside pulumi or on PATH",
    );
    writeFileSync(path.join(bin, "npm"), "#!/bin/sh\nexit 0\n", { mode: 0o755 });
    stage = new ExampleStage(yaml, cli);
    await stage.up();
  });

  after(async () => {
    await stage?.stop();
    process.env["PATH"] = outside;
    rmSync(bin, { recursive: true });
  });

  it("makes what a program in TypeScript makes of the same arguments, and tells it in the preview", async () => {
    const { resources } = await run(
      cloud(),
      () =>
        void new ContinuousDeployment("server", {
          owner: "octo",
          repositoryName: "pulumi-nixos",
          machine: { sshCidrBlocks: ["203.0.113.0/24"], sshIpv6CidrBlocks: [] },
        }),
    );
    const [{ run: made, previewed }] = stage.running as [(typeof stage.running)[number]];
    assert.deepEqual(rows(made.resources), rows(resources as unknown as RecordedResource[]));
    assert.deepEqual(rows(previewed), rows(made.resources));
  });

  it("gives the program its outputs, the private key as a secret", () => {
    const { outputs } = stage.run();
    assert.match(outputs["url"] as string, /^http:\/\/ec2-/);
    assert.match(outputs["ageRecipient"] as string, /^age1/);
    assert.ok(isMarkedSecret(outputs["loginKey"]));
    assert.deepEqual(exposedKeys(stage.run()), []);
  });

  it("runs the deployment's program from where the plugin is", () => {
    const [{ environment }] = stage.deployments as [(typeof stage.deployments)[number]];
    assert.equal(environment["DEPLOY_FLAKE"], "path:../../nix#default");
    const command = stage.run().resources.find(({ type }) => type === "command:local:Command");
    assert.equal(command?.inputs["create"], "../../components/deploy/deploy.mjs");
  });

  it("then has nothing to do", async () => {
    const deployed = stage.deployments.length;
    const [{ after }] = (await stage.again()) as [Awaited<ReturnType<typeof stage.again>>[number]];
    const done = (after.operations ?? []).filter(({ custom, operation }) => custom && operation !== "read");
    assert.deepEqual([...new Set(done.map(({ operation }) => operation))], ["same"]);
    assert.equal(stage.deployments.length, deployed);
  });
});
