import assert from "node:assert/strict";
import { cpSync, existsSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { PARTS } from "../../cli/rehearse/project";
import { asLastVersion, lastVersion, RECORDING, recording, SETTINGS } from "./lastVersion";
import { pulumi } from "./pulumi";
import { type Changes, EngineStack, type StateResource } from "./stack";

// A stack that the last version made goes on with today's program: nothing of it is replaced or deleted, but for the
// deployment, which a new flake starts again. The state is the last version's, as it was recorded; the emulated services
// hold what today's program made, so what a service would refuse of an older thing is not proved. To record a version:
//
//   RECORD_LAST_VERSION=<a checkout of it> npx mocha --no-config --require tsx/cjs --timeout 1200000 test/engine/lastVersion.spec.ts

/** All that the first update changes. */
const BECOMES: Changes = {
  ...Object.fromEntries(
    [
      ...["out-ipv4", "out-ipv6"],
      ...["ssh", "http", "http-443"].flatMap((label) => [`${label}-0.0.0.0_0`, `${label}---_0`]),
      ...["cache", "deploy", "drift", "preview"].map((role) => `github-actions-${role}`),
      // That of deployments names a role of each stack's own, and so is not in the recording.
      "github-actions-preview-policy",
    ].map((name) => [`nixos-${name}`, "update"]),
  ),
  "nixos-deployment": "replace",
};

/** A checkout of the version to record. It makes the recording anew and tests nothing. */
const RECORDED = process.env["RECORD_LAST_VERSION"];

if (RECORDED !== undefined) {
  describe("the engine: the last version", () => {
    it("is recorded", async function () {
      const states: StateResource[][] = [];
      for (let count = 0; count < 2; count++) {
        const stack = await EngineStack.start(this);
        try {
          takeProgram(stack, RECORDED);
          stack.configure(SETTINGS);
          await stack.up();
          states.push(await stack.state());
        } finally {
          stack.stop();
        }
      }
      writeFileSync(RECORDING, `${JSON.stringify(recording(states[0]!, states[1]!), null, 2)}\n`);
    });
  });
}

/** Puts the program of a checkout in the place of today's. */
function takeProgram(stack: EngineStack, checkout: string): void {
  for (const part of PARTS) {
    rmSync(path.join(stack.project, part), { recursive: true, force: true });
    const filter = (file: string) => path.basename(file) !== "node_modules";
    if (existsSync(path.join(checkout, part)))
      cpSync(path.join(checkout, part), path.join(stack.project, part), { recursive: true, filter });
  }
  stack.editRepositoryFile({ owner: "example" });
}

(RECORDED === undefined ? describe : describe.skip)("the engine: a stack of the last version", function () {
  let stack: EngineStack;
  before(async function () {
    stack = await EngineStack.start(this);
    stack.configure(SETTINGS);
    await stack.up();
    const { printed } = await stack.succeed("stack", "export");
    const exported = JSON.parse(printed) as { deployment: { resources: StateResource[] } };
    exported.deployment.resources = asLastVersion(exported.deployment.resources);
    const file = path.join(stack.folder, "last-version.json");
    writeFileSync(file, JSON.stringify(exported));
    await pulumi(stack, ["stack", "import", "--file", file, "--stack", "suite"]);
  });
  after(() => stack?.stop());

  it("gets a preview without replacement and deletion", async () => {
    const { changes, printed } = await stack.succeed("preview");
    assert.deepEqual(changes, BECOMES);
    assert.doesNotMatch(printed, /not of this stack/);
    // The stack's file has the last version's keys.
    for (const key of Object.keys(SETTINGS)) assert.ok(printed.includes(`pulumi-nixos:${key} is now `), key);
  });

  it("is updated so, under the same names and ids", async () => {
    const idsOf = async () => (await stack.state()).map(({ urn, id }) => `${urn} ${id}`).sort();
    const of = (ids: string[]) => ids.filter((one) => !one.includes("::nixos-deployment "));
    const before = of(await idsOf());
    assert.deepEqual((await stack.up()).changes, BECOMES);
    assert.deepEqual(of(await idsOf()), before);
    const urns = (await stack.state()).map(({ urn }) => urn);
    assert.deepEqual(
      lastVersion().filter(({ urn }) => !urns.includes(urn)),
      [],
    );
  });

  it("then has nothing more to do, after a refresh too", async () => {
    await stack.succeed("preview", "--expect-no-changes");
    await stack.succeed("preview", "--refresh", "--expect-no-changes");
  });

  it("keeps its volume's tags where they are, until the machine is replaced: then they come with the start", async () => {
    const given = async () => (await stack.state()).find(({ type }) => type === "aws:ec2/instance:Instance")!.inputs!;
    const tags = { Name: "nixos" };
    const tagsIn = ({ rootBlockDevice, volumeTags }: Record<string, unknown>) => {
      const own = (values: unknown) =>
        values === undefined ? undefined : { Name: (values as Record<string, unknown>)["Name"] };
      return [own((rootBlockDevice as Record<string, unknown>)["tags"]), own(volumeTags)];
    };
    assert.deepEqual(tagsIn(await given()), [tags, undefined]);
    stack.configure({ "machine.amiId": stack.fakes.ec2.images[0]!.id });
    await stack.up();
    assert.deepEqual(tagsIn(await given()), [undefined, tags]);
    await stack.succeed("preview", "--expect-no-changes");
  });
});
