/**
 * The whole program in a preview, where nothing that a provider will answer is known.
 * Cannot prove: what an engine shows, which also compares with the last state.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { DERIVATION, IMAGES } from "./support/cloud";
import { only, plainTextsOf, table } from "./support/mocks";
import { Project } from "./support/program";
import { Secret, UNKNOWN } from "./support/wire";

type Outcome = Awaited<ReturnType<Project["run"]>>;

describe("a preview of the program", () => {
  const project = new Project();
  let byDefault: Outcome;
  before(async () => {
    byDefault = await project.run({ preview: true });
  });
  after(() => project.remove());

  /** The repository that is to be made is looked for in a preview only. */
  const isNotOwn = (token: string) => token !== "github:index/getRepository:getRepository";

  for (const [what, config] of [
    ["the defaults", {}],
    [
      "other choices",
      {
        "pulumi-nixos:repository.create": "false",
        "pulumi-nixos:repository.branchProtection": "ruleset",
        "pulumi-nixos:machine.amiId": "ami-12345678",
        "pulumi-nixos:machine.subnetId": "subnet-12345678",
        "pulumi-nixos:separateMachineKey": "true",
        "pulumi-nixos:keyVersions": "[1,2]",
      },
    ],
  ] as const) {
    describe(`with ${what}`, () => {
      let preview: Outcome;
      let update: Outcome;
      before(async () => {
        preview = await project.run({ config, preview: true });
        update = await project.run({ config });
      });

      it("registers the same resources as an update", () => {
        assert.deepEqual(table(preview.resources), table(update.resources));
      });

      it("registers the same inputs as an update, where they are known", () => {
        const places = ({ resources }: Outcome) =>
          resources.flatMap(({ type, name, inputs }) => known(inputs).map((place) => `${type} ${name} ${place}`));
        assert.ok(places(preview).length > 50);
        const inUpdate = new Set(places(update));
        assert.deepEqual(
          places(preview).filter((place) => !inUpdate.has(place)),
          [],
        );
      });

      it("makes the same calls as an update, but for the looks at what is there", () => {
        // A preview looks for what it would be refused by, an update for what was added to what it has made.
        const looks = /:(getBranchProtectionRules|getRestApi|getSecurityGroupRules)$/;
        const calls = ({ invokes }: Outcome) => invokes.map(({ token }) => token).filter((token) => !looks.test(token));
        const tokens = (outcome: Outcome) => [...new Set(calls(outcome))].filter(isNotOwn).sort();
        assert.ok(tokens(preview).includes("command:local:run"));
        assert.deepEqual(tokens(preview), tokens(update));
      });
    });
  }

  it("knows the image, the evaluated system and the repository's address for upgrades", () => {
    const { resources } = byDefault;
    assert.equal(only(resources, "aws:ec2/instance:Instance").inputs["ami"], IMAGES[0]);
    const outputs = only(resources, "pulumi:pulumi:Stack").outputs!;
    assert.equal(outputs["derivation"], DERIVATION);
    assert.equal(outputs["upgradeFlake"], "git+ssh://git@github.com/octo/server?ref=main&dir=nix#default");
  });

  it("does not know what only an update makes", () => {
    const { resources } = byDefault;
    const outputs = only(resources, "pulumi:pulumi:Stack").outputs!;
    for (const name of ["publicIp", "publicDns", "url", "instanceId", "hostPublicKey", "ageRecipient"]) {
      assert.equal(outputs[name], UNKNOWN, name);
    }
  });

  it("shows no private key, known or not, in plain", () => {
    const machine = only(byDefault.resources, "aws:ec2/instance:Instance").inputs;
    assert.ok(machine["userData"] === UNKNOWN || machine["userData"] instanceof Secret);
    assert.deepEqual(
      plainTextsOf(byDefault).filter((text) => text.includes("PRIVATE KEY")),
      [],
    );
  });

  it("is no branch in the program: nothing asks whether this is a preview", () => {
    const files = [...readdirSync("components").map((file) => path.join("components", file)), "index.ts"];
    const asking = files.filter((file) => file.endsWith(".ts") && /isDryRun/.test(readFileSync(file, "utf8")));
    assert.ok(files.length > 15);
    assert.deepEqual(asking, []);
  });
});

/** Every known value among inputs that no key enters, with its place. Keys differ from run to run. */
function known(value: unknown, place = ""): string[] {
  if (value === UNKNOWN || value instanceof Secret) return [];
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).flatMap(([key, part]) => known(part, `${place}.${key}`));
  }
  return [`${place}=${JSON.stringify(value)}`];
}
