/**
 * What `npm run adopt` makes of the file that `pulumi preview --import-file` writes.
 * Cannot prove: that an engine writes such a file and takes it back (test/engine/fromTerraform.spec.ts).
 */
import assert from "node:assert/strict";
import { adopt } from "../../cli/adopt/run";
import { heard } from "../support/heard";
import { filledIn, type ImportFile } from "../../cli/adopt/importFile";
import { realContext } from "../../cli/common/context";
import { UserError } from "../../cli/common/userError";

const PLACE = { id: "<PLACEHOLDER>", version: "1.0.0" };
const file: Required<ImportFile> = {
  nameTable: { outside: "urn:pulumi:live::server::example:index:Site::outside" },
  resources: [
    { type: "nixos:index:ContinuousDeployment", name: "web", parent: "outside", component: true },
    { type: "nixos:index:NixosInstance", name: "webNixosInstance", logicalName: "web", parent: "web", component: true },
    {
      type: "aws:ec2/instance:Instance",
      name: "webInstance",
      logicalName: "web",
      parent: "webNixosInstance",
      ...PLACE,
    },
    { type: "aws:ec2/eip:Eip", name: "web-address", parent: "webNixosInstance", ...PLACE },
    { type: "nixos:index:SshKeyPair", name: "web-key", parent: "web", component: true },
    {
      type: "tls:index/privateKey:PrivateKey",
      name: "web-keyPrivateKey",
      logicalName: "web-key",
      parent: "web-key",
      ...PLACE,
    },
  ],
};

describe("adopt", () => {
  it("imports what is named, by the program's names, within its components, and nothing else", () => {
    const { resources, nameTable } = filledIn(file, { web: "i-0123456789abcdef0" });
    assert.deepEqual(resources, [
      file.resources[0],
      file.resources[1],
      { ...file.resources[2], id: "i-0123456789abcdef0" },
    ]);
    assert.deepEqual(nameTable, file.nameTable);
  });

  it("refuses every name that the program does not make, and what exists in a state only, and says what there is", () => {
    assert.throws(
      () => filledIn(file, { "web-adress": "eipalloc-1", "web-key": "x" }),
      new UserError(
        [
          '"web-adress" is not to be made. Did you mean "web-address"?',
          '"web-key" cannot be adopted: keys and deployments exist in the state of a stack only.',
          "What the program still has to make, and can be adopted instead:",
          "  web (aws.ec2.Instance)",
          "  web-address (aws.ec2.Eip)",
        ].join("\n"),
      ),
    );
  });

  it("says so when there is nothing left to adopt", () => {
    assert.throws(() => filledIn({}, { web: "i-1" }), /^UserError: Nothing can be adopted: the stack has every/);
  });

  for (const [args, message] of [
    [[], "Nothing is named that should be imported."],
    [["web"], 'argument: got "web"; allowed: NAME=ID, such as nixos=i-0123456789abcdef0.'],
    [["--stacks", "live"], "--stacks: there is no such option. Did you mean --stack?"],
  ] as const) {
    it(`answers \`${["adopt", ...args].join(" ")}\` with what is wrong`, async () => {
      const said: string[] = [];
      const context = realContext({ env: { PATH: "" }, run: () => assert.fail("a program was started") });
      assert.equal(await adopt([...args], context, heard(said)), 2);
      assert.ok(said[0]!.startsWith(message), said[0]);
      assert.match(said[0]!, /\nAll options: npm run adopt -- --help$/);
    });
  }
});
