/**
 * Texts without end: nested ones, which would overflow the stack of a parser or of who walks through its result, and long
 * lines, on which a careless pattern takes the square of the time. Every reader of texts of other origin is here.
 * Cannot prove: that a reader is linear for texts that nobody thought of (eslint-plugin-regexp was run over all patterns).
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { readFacts } from "../../cli/diagnostics/machineFacts";
import { checkWorkflows } from "../../cli/diagnostics/requiredChecks";
import { machineReport } from "../../cli/diagnostics/machineReport";
import { githubRepository } from "../../components/deploy/revision.mjs";
import { pinnedKeys } from "../../cli/diagnostics/hostKeys";
import { evaluationFailure, usefulLines } from "../../cli/preview/errors";
import { readPreview } from "../../cli/preview/read";
import { recipientsIn } from "../../cli/secrets/sopsConfig";
import { isRecent } from "../../cli/secrets/sops";
import { changeGarnixYaml } from "../../cli/setup/garnix";
import { readProject, readStackFile } from "../../cli/common/stackFile";
import { readAnswers } from "../../components/deploy/answers.mjs";
import { buildErrorLine } from "../../components/deploy/build.mjs";
import { nixSettings } from "../../components/deploy/evaluationKey.mjs";
import { recipientsOf, secretsProblems } from "../../components/deploy/flakeSecrets.mjs";
import { privateInputs } from "../../components/deploy/inputs.mjs";
import { readable, usefulLine } from "../../components/deploy/nix.mjs";
import { publicKeyOf } from "../../components/deploy/publicKey.mjs";
import { readSettings } from "../../components/deploy/settings.mjs";
import { lastWords, sshTrouble } from "../../components/deploy/ssh.mjs";
import { sanitizeLines, withoutSecrets } from "../../components/deploy/text.mjs";
import { quote } from "../../components/values/errors";
import { byRule } from "../../components/values/rules";
import { RULES } from "../../components/deploy/rules.cjs";
import { x86InstanceType } from "../../components/values/instanceType";
import { isDeepJson, isDeepYaml, parseJson } from "../../components/values/nesting";
import { parseRepositoryFile } from "../../program/repositoryFile";
import { branchName, ownerName, repositoryName } from "../../components/values/repositoryNames";
import { reportedNames, unreportedChecks } from "../../program/requiredChecks";
import { statementsOf } from "../../policy/iamDocument";

const URN = "urn:pulumi:dev::p::a:b:C::x";
const lists = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
const maps = (depth: number) => '{"a":'.repeat(depth) + "1" + "}".repeat(depth);
const blocks = (depth: number) => Array.from({ length: depth }, (_, at) => `${" ".repeat(at)}a:`).join("\n");

describe("a text that is nested without end", () => {
  const before = (json: string) => `{"steps":[{"op":"update","urn":"${URN}","oldState":{"inputs":{"p":${json}}},`;
  for (const depth of [300, 3000, 100_000]) {
    const whole = [lists(depth), maps(depth), "[".repeat(depth), '{"a":'.repeat(depth)];
    // Fault 84
    it(`is no preview, and no error (${depth} levels)`, () => {
      const steps = whole.map(
        (json) => `${before(json)}"newState":{"inputs":{"p":1}},"detailedDiff":{"p":{"kind":"update"}}}]}`,
      );
      const events = whole.map(
        (json) =>
          `{"sequence":1,"resourcePreEvent":{"metadata":{"op":"create","urn":"${URN}","new":{"inputs":{"p":${json}}}}}}\n`,
      );
      for (const text of [...whole, ...steps, ...events]) {
        const preview = readPreview(text, { exitCode: 0, log: "" });
        assert.equal(preview.failed, true);
        assert.ok(preview.errors.length > 0);
      }
    });

    it(`is a problem like any other elsewhere (${depth} levels)`, () => {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), "nesting-"));
      fs.mkdirSync(path.join(folder, ".github/workflows"), { recursive: true });
      const yaml = [
        ...whole,
        `on: ${lists(depth)}`,
        `jobs: ${maps(depth)}`,
        `${"- ".repeat(depth)}x`,
        `${"? ".repeat(depth)}x`,
      ];
      if (depth <= 3000) yaml.push(`jobs:\n${blocks(depth)}`);
      for (const text of yaml) {
        assert.deepEqual(reportedNames([text]), []);
        assert.equal(
          unreportedChecks("p", ["A"], { checksFrom: "github-actions", branchProtection: "branch", workflows: [text] })
            .length,
          1,
        );
        fs.writeFileSync(path.join(folder, ".github/workflows/x.yml"), text);
        assert.equal(checkWorkflows(folder, ["A"]).outcome, "note");
        assert.throws(() => recipientsIn(text), /nested|creation_rules|not YAML/);
        assert.throws(() => readStackFile(text, "Pulumi.dev.yaml"), /Pulumi\.dev\.yaml: /);
        assert.throws(() => readProject(text), /nested/);
        assert.throws(() => changeGarnixYaml(text), /garnix\.yaml: /);
      }
      for (const text of whole) {
        assert.ok(parseRepositoryFile(text).problems.length > 0);
        assert.ok(parseRepositoryFile(`{"owner":${text}}`).problems.length > 0);
        assert.throws(() => parseJson(text), SyntaxError);
        assert.deepEqual(statementsOf(text), []);
        const { facts } = readFacts(`state\t${text}\nprobe\t${text}\nprobe-unit\tloaded\n`);
        machineReport(facts, { ageRecipients: [], access: "token", branch: "main", revision: "", secretsFile: false });
      }
      fs.rmSync(folder, { recursive: true });
    });
  }

  it("is not one that is only long, or has brackets in its strings", () => {
    assert.equal(isDeepJson(JSON.stringify({ a: "[".repeat(1000), b: Array(1000).fill([{}]), c: '\\"[' })), false);
    assert.equal(isDeepJson(lists(200)), false);
    assert.equal(isDeepYaml(Array(1000).fill("- [a, {b: c}]\n  - x: 1").join("\n")), false);
    assert.equal(
      isDeepYaml(
        `run: |\n${Array(500)
          .fill(`${" ".repeat(300)}[[ -e x ]] && y\n\n  - -`)
          .join("\n")}`,
      ),
      false,
    );
    const workflows = path.resolve(".github/workflows");
    for (const file of fs.readdirSync(workflows))
      assert.equal(isDeepYaml(fs.readFileSync(path.join(workflows, file), "utf8")), false, file);
  });

  it("is shown as one that cannot be", () => {
    const self: unknown[] = [];
    self.push(self);
    assert.equal(quote(self), "a value that cannot be shown");
  });
});

describe("a line without end", () => {
  const settings = { ageRecipients: [], access: "token", branch: "main", revision: "", secretsFile: false };
  /** A flake's folder whose secrets file holds the text. */
  let folder: string;
  before(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "long-line-"))));
  after(() => fs.rmSync(folder, { recursive: true }));

  const readers: Record<string, (text: string) => unknown> = {
    readPreview: (text) => readPreview(text, { exitCode: 1, log: text }),
    "the message of a preview": usefulLines,
    secretsProblems: (text) => {
      fs.writeFileSync(
        path.join(folder, "secrets.yaml"),
        `a: ENC[AES256_GCM,x]\n${text}\nsops:\n  mac: ENC[AES256_GCM,x]\n`,
      );
      return secretsProblems(folder);
    },
    recipientsOf: (text) => recipientsOf(`sops:\n  - recipient: ${text}`),
    evaluationFailure,
    privateInputs: (text) => {
      const nodes = { input: { locked: { type: "git", url: text } }, root: {} };
      fs.writeFileSync(path.join(folder, "flake.lock"), JSON.stringify({ nodes }));
      return privateInputs(folder, { access: "deploy-key", repository: "octo/server" });
    },
    nixSettings: (text) => {
      fs.writeFileSync(path.join(folder, "nix.conf"), text);
      return nixSettings({ HOME: folder, NIX_CONF_DIR: folder });
    },
    usefulLine,
    readable: (text) => readable(text, { folder: "nix" } as never),
    buildErrorLine,
    sanitizeLines,
    withoutSecrets,
    lastWords,
    sshTrouble,
    publicKeyOf,
    readAnswers: (text) => readAnswers("changes", text),
    readFacts: (text) =>
      machineReport(readFacts(`secrets\t${text}\nfailed-units\t${text}\nstate\t{${text}}`).facts, settings),
    readSettings: (text) => {
      try {
        readSettings({ DEPLOY_HOST: text, DEPLOY_FLAKE: text, DEPLOY_BUILD_ON: text, DEPLOY_DERIVATION: text });
      } catch {
        // It is refused.
      }
    },
    ownerName: (text) => ownerName("p", text),
    repositoryName: (text) => repositoryName("p", text),
    branchName: (text) => branchName("p", text),
    flakeRef: (text) => byRule(RULES.flake)("p", text),
    x86InstanceType: (text) => x86InstanceType("p", text),
    parseRepositoryFile: (text) => parseRepositoryFile(text),
    reportedNames: (text) =>
      reportedNames([`on: pull_request\njobs:\n  a:\n    name: ${JSON.stringify(text)}`])[0]?.fits(text),
    "a check of Hydra": (text) =>
      unreportedChecks("p", [`ci/hydra:${text}`], { checksFrom: "hydra", branchProtection: "branch", workflows: [] }),
    isRecent: (text) => isRecent({ found: true, code: 0, stdout: text, stderr: "", timedOut: false }),
    githubRepository,
    pinnedKeys,
  };
  const repeated = [
    "Host key for ",
    " ",
    "\t",
    "\n",
    ":",
    "- ",
    "-",
    "a",
    "1",
    "*",
    "a.",
    "${{",
    "(",
    ") ",
    "at (",
    "/",
    "=",
    "\\",
    '"',
    "]",
    ":1",
    "@g",
    "\n\t",
    'running "',
    "error:",
    "-----BEGIN PRIVATE KEY-----",
    "\u001b[",
    "_",
  ];

  for (const [name, read] of Object.entries(readers)) {
    // Fault 85
    it(`takes time in proportion to its length: ${name}`, function () {
      for (const part of repeated) {
        for (const end of ["", "x", "!\n"]) {
          const text = (length: number) => `a${part.repeat(Math.ceil(length / part.length))}${end}`;
          // The processor's time, because the computer may be busy with other things; at least, because of the collector.
          const least = (length: number) =>
            Math.min(
              ...[1, 2].map(() => {
                const started = process.cpuUsage();
                read(text(length));
                const { user, system } = process.cpuUsage(started);
                return (user + system) / 1000;
              }),
            );
          const long = least(60_000);
          // A square would take more than a second. What is quick is not compared: it is noise.
          if (long < 150) continue;
          const ratio = long / Math.max(least(15_000), 1);
          assert.ok(
            ratio < 10,
            `${JSON.stringify(part)} … ${JSON.stringify(end)}: ${long} ms, ${ratio} times as long as a quarter`,
          );
        }
      }
    });
  }
});
