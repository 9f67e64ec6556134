/**
 * `protect` against mocks: what the engine is asked to keep, and what must stay free to be replaced.
 * Cannot prove: that the engine refuses (test/engine/protect.spec.ts).
 */
import assert from "node:assert/strict";
import { ContinuousDeployment, type ContinuousDeploymentArgs } from "../../components/index";
import { cloud } from "../support/cloud";
import { type Registered, run } from "../support/mocks";
import { Project } from "../support/program";

const KEY = "tls:index/privateKey:PrivateKey";
const MACHINE = ["aws:ec2/eip:Eip nixos-address", "aws:ec2/instance:Instance nixos"];
const REPOSITORY = "github:index/repository:Repository nixos-repository";

function protectedOf(resources: Registered[]): string[] {
  const kept = resources.filter(({ options }) => options.protect);
  return kept.map(({ type, name }) => `${type} ${name}`).sort();
}

async function server(args: Partial<ContinuousDeploymentArgs>): Promise<string[]> {
  const repository = { githubPlan: "paid", ...args.repository };
  const whole = { owner: "octo", repositoryName: "server", ...args, repository };
  const { resources } = await run(cloud(), () => new ContinuousDeployment("nixos", whole));
  return protectedOf(resources);
}

describe("protect", () => {
  it("keeps machine, address, keys and repository, and nothing that changes by being replaced", async () => {
    const expected = [...MACHINE, REPOSITORY, `${KEY} nixos-host-key`, `${KEY} nixos-key`];
    assert.deepEqual(await server({ protect: true }), expected.sort());
  });

  it("keeps nothing by default", async () => {
    assert.deepEqual(await server({}), []);
  });

  it("keeps the key in use, not the one that a rotation is about to destroy", async () => {
    const keys = async (keyVersions: number[]) => {
      const kept = await server({ protect: true, keyVersions, separateMachineKey: true });
      return kept.filter((row) => row.startsWith(KEY)).map((row) => row.slice(KEY.length + 1));
    };
    assert.deepEqual(await keys([1, 2]), ["nixos-host-key", "nixos-key", "nixos-machine-key"]);
    assert.deepEqual(await keys([2, 1]), ["nixos-host-key", "nixos-key-2", "nixos-machine-key-2"]);
  });

  it("has no repository to keep that was there before", async () => {
    assert.ok(!(await server({ protect: true, repository: { create: false } })).includes(REPOSITORY));
  });

  it("is a key of the stack's configuration", async () => {
    const project = new Project();
    try {
      const { resources } = await project.run({ config: { "pulumi-nixos:protect": "true" } });
      assert.equal(protectedOf(resources).length, 5);
    } finally {
      project.remove();
    }
  });
});
