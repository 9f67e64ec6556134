/**
 * docs/from-terraform.md: that it forgets nothing of the book's Terraform, and names nothing that the program has not.
 * Cannot prove: that the order of work is right (test/engine/fromTerraform.spec.ts follows it).
 */
import assert from "node:assert/strict";
import { only } from "../support/mocks";
import { Project } from "../support/program";
import { CONFIG_KEYS } from "../../program/configKeys";
import { importTable, pageOf } from "./tables";

/** Everything that the book's templates `terraform` and `continuous-deployment` declare, and the modules they call. */
const BOOK = [
  "aws_instance.todo",
  "aws_key_pair.nixos-in-production",
  "aws_security_group.todo",
  "local_file.ssh_public_key",
  "local_sensitive_file.ssh_private_key",
  "null_resource.wait",
  "tls_private_key.nixos-in-production",
  "module.ami",
  "data.external.ami",
  "module.nixos",
  "data.external.instantiate",
  "null_resource.deploy",
  "output.public_dns",
];
/** By type, because all have the same name: the place of Terraform's state. */
const BACKEND = [
  "aws_s3_bucket",
  "aws_s3_bucket_versioning",
  "aws_dynamodb_table",
  "aws_iam_user_policy",
  "aws_iam_policy_document",
  "aws_caller_identity",
];

describe("docs/from-terraform.md", () => {
  const page = pageOf("from-terraform.md");
  const project = new Project();
  let resources: Awaited<ReturnType<Project["run"]>>["resources"];
  before(async () => {
    ({ resources } = await project.run());
  });
  after(() => project.remove());

  it("names everything that the book's Terraform has", () => {
    const tables = page.split("\n").filter((line) => line.startsWith("|"));
    const missing = [...BOOK, ...BACKEND].filter((name) => !tables.some((row) => row.includes(`\`${name}\``)));
    assert.deepEqual(missing, []);
  });

  it("imports into resources that the program has, of that type, in those components", () => {
    assert.equal(importTable().length, 3);
    for (const { place, type, within } of importTable()) {
      const resource = only(resources, type, place);
      const types = within.split("$");
      const component = only(resources, types.pop()!, resource.parent);
      assert.equal(only(resources, types.pop()!, component.parent).name, "nixos");
      assert.deepEqual(types, []);
    }
  });

  it("names no other resource, configuration key or output than the program's", () => {
    const { outputs } = only(resources, "pulumi:pulumi:Stack");
    const known = new Set([
      ...resources.map(({ name }) => name),
      ...Object.keys(CONFIG_KEYS),
      ...Object.keys(outputs!),
    ]);
    const named = [
      ...page.matchAll(/`(nixos-[a-z-]+|adopted[A-Za-z]+|public[A-Za-z]+|private[A-Za-z]+|(?:login|machine)Key)`/g),
    ];
    assert.ok(named.length >= 10);
    assert.deepEqual(
      named.map(([, name]) => name!).filter((name) => !known.has(name)),
      [],
    );
    const commands = [...page.matchAll(/(nixos[a-z-]*)=(?=[a-z])/g)].map(([, name]) => name!);
    assert.ok(commands.length >= 4);
    assert.deepEqual(
      commands.filter((name) => !known.has(name)),
      [],
    );
  });

  it("names a rule that the policy pack has", () => {
    const [, rule = ""] = /`"([a-z-]+)": "advisory"`/.exec(page) ?? [];
    assert.ok(
      pageOf("policy.md").includes(`
| [\`${rule}\`](`),
      rule,
    );
  });

  it("lets Terraform forget exactly what lives on", () => {
    const [, forgotten = ""] = /^terraform state rm (.*)$/m.exec(page) ?? [];
    assert.deepEqual(forgotten.split(" ").sort(), [
      "aws_instance.todo",
      "module.ami",
      "module.nixos",
      "null_resource.wait",
      "tls_private_key.nixos-in-production",
    ]);
  });
});
