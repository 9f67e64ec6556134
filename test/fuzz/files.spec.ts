/**
 * Texts that come from files and other programs: keys, SOPS files, nix/repository.json, Pulumi's preview. Nothing is
 * thrown, or what is thrown is a message for a person; a key is never in it. FUZZ_RUNS sets the number of cases.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { recipientsIn, withRecipients } from "../../cli/secrets/sopsConfig";
import { UserError } from "../../cli/common/userError";
import { readPreview } from "../../cli/preview/read";
import { previewReport } from "../../cli/preview/report";
import { toMarkdown } from "../../cli/render/markdown";
import { newAgeIdentity, recipientOfIdentity } from "../../components/keys/age";
import { recipientsOf } from "../../components/deploy/flakeSecrets.mjs";
import { publicKeyOf } from "../../components/deploy/publicKey.mjs";
import { ed25519PrivateKey } from "../../components/keys/openssh";
import { parseRepositoryFile } from "../../program/repositoryFile";
import { newKey } from "../../cli/rehearse/keys";
import { assertMessages, holds, near } from "./fuzz";

const RECIPIENT = recipientOfIdentity(newAgeIdentity());
const SOPS = `password: ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]
sops:
    age:
        - recipient: ${RECIPIENT}
          enc: |
            -----BEGIN AGE ENCRYPTED FILE-----
    mac: ENC[AES256_GCM,data:x]
`;

describe("fuzz: texts of files and programs", () => {
  it("private keys", () => {
    const { privateKeyOpenssh: key } = newKey();
    holds(near(key, newKey("ecdsa").privateKeyOpenssh), (text) => {
      const problems = ed25519PrivateKey("property", text);
      assertMessages("property", problems);
      for (const line of text.split("\n").slice(1, -2)) {
        if (line.length > 20) assert.ok(!problems.join().includes(line), "a part of the key is in the message");
      }
      // What the program takes, the deployment program, which has a reader of its own, can read too.
      if (problems.length === 0) assert.match(publicKeyOf(text) ?? "", /^ssh-ed25519 [A-Za-z0-9+/=]+$/);
    });
  });

  it("SOPS files", () => {
    holds(near(SOPS, SOPS.replace("age:", "pgp:")), (text) => {
      for (const recipient of recipientsOf(text)) assert.equal(typeof recipient, "string");
    });
  });

  it(".sops.yaml", () => {
    const rules = "creation_rules:\n  - path_regex: ^nix/secrets\\.yaml$\n    key_groups:\n      - age:\n          - ";
    holds(near(`${rules}${RECIPIENT}\n`, `creation_rules: [{path_regex: x, age: "${RECIPIENT}"}]\n`), (text) => {
      try {
        const added = withRecipients(text, [{ recipient: RECIPIENT, whose: "the machine" }]);
        assert.ok(recipientsIn(added).includes(RECIPIENT), "somebody who was added is not there");
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        assert.ok(error.message.length > 10);
      }
    });
  });

  it("nix/repository.json", () => {
    const file = { owner: "octo", name: "server", branch: "main", access: "token" };
    const other = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify(value));
    holds(fc.oneof({ arbitrary: near(JSON.stringify(file)), weight: 9 }, other), (text) => {
      const { value, problems } = parseRepositoryFile(text);
      if (problems.length > 0)
        return assertMessages(
          "nix/repository.json",
          problems.map((one) => one.replaceAll("\n", " ")),
        );
      assert.deepEqual(Object.keys(value!).sort(), Object.keys(file).sort());
      assert.match(Object.values(value!).join(""), /^[A-Za-z0-9._/@+-]+$/);
    });
  });

  it("previews", () => {
    const recorded = readFileSync("test/preview/recorded/network.json", "utf8");
    const part = {
      steps: [
        {
          op: "update",
          urn: "urn:pulumi:dev::p::aws:ec2/instance:Instance::nixos",
          oldState: {},
          newState: { inputs: {} },
          detailedDiff: { "a.b[0]": { kind: "update" } },
        },
      ],
      diagnostics: [{ message: "m", severity: "error" }],
      changeSummary: { update: 1 },
    };
    const small = JSON.stringify(part);
    const event = JSON.stringify({ sequence: 1, resourcePreEvent: { metadata: { op: "update", urn: "x" } } });
    const mutated = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify({ steps: value, diagnostics: value }));
    const rarely = fc
      .tuple(fc.nat(recorded.length), fc.nat(50))
      .map(([at, cut]) => recorded.slice(0, at) + recorded.slice(at + cut));
    const cases = fc.oneof({ arbitrary: near(small, event), weight: 12 }, { arbitrary: mutated, weight: 8 }, rarely);
    holds(cases, (text) => {
      const preview = readPreview(text);
      const markdown = toMarkdown(previewReport(preview));
      assert.ok(markdown.length > 0 && markdown.length < 65_536, "does not fit into a comment");
      if (preview.failed) assert.ok(preview.errors.length > 0, "failed without a message");
    });
  });
});
