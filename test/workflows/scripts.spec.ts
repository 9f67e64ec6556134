/**
 * preview.sh and drift.sh as the workflows run them, on a copy of the project, against an emulated GitHub over HTTP.
 * In place of the engine stands a command that answers with previews which a real engine has written, and with a debug
 * message, which the real one fills with secrets.
 * Cannot prove: that the engine can log in to its state from a job, or that Nix evaluates the base there.
 */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parse } from "yaml";
import { GithubServer, REPOSITORY, TOKEN } from "../preview/githubServer";
import { WAIT_MILLISECONDS } from "../../cli/rehearse/limits.cjs";

const root = path.resolve(__dirname, "../..");

/** npx that starts what is installed here, and never downloads. */
const NPX = `#!/usr/bin/env bash
exec "${root}/node_modules/.bin/$1" "\${@:2}"
`;

/** In place of the engine. */
const PULUMI = `#!/usr/bin/env bash
echo "pulumi $*" >>"$CALLS"
[[ $1 == preview ]] || exit 0
echo "$PULUMI_BACKEND_URL \${PULUMI_NIXOS_ADOPTING-}" >>"$PLACES"
cp Pulumi.empty.yaml "$PLACES.yaml" 2>/dev/null || true
echo "said by the engine" >&2
if [[ -z \${PULUMI_ENABLE_STREAMING_JSON_PREVIEW-} ]]; then cat "$PREVIEW.json"; exit "$STATUS"; fi
printf '{"sequence":0,"diagnosticEvent":{"severity":"debug","message":"a secret of %s"}}\\n' the-machine
cat "$PREVIEW.events.jsonl"
sleep 0.2
grep -rls the-machine "$TMPDIR"/tmp.* >>"$CALLS" || true
exit "$STATUS"
`;

describe("the scripts of the workflows", () => {
  let folder: string;
  let github: GithubServer;

  beforeEach(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "scripts-spec-"));
    for (const part of [
      ".github/scripts",
      "cli",
      "components",
      "program",
      "package.json",
      "tsconfig.json",
      "Pulumi.yaml",
    ]) {
      fs.cpSync(path.join(root, part), path.join(folder, part), { recursive: true });
    }
    fs.symlinkSync(path.join(root, "node_modules"), path.join(folder, "node_modules"));
    fs.mkdirSync(path.join(folder, "bin"));
    fs.writeFileSync(path.join(folder, "bin/npx"), NPX, { mode: 0o755 });
    fs.writeFileSync(path.join(folder, "bin/pulumi"), PULUMI, { mode: 0o755 });
    // What `git rev-parse HEAD` says of the copy.
    fs.writeFileSync(path.join(folder, "bin/git"), "#!/bin/sh\n[ $1 = rev-parse ] && echo abc123\n", { mode: 0o755 });
    github = await GithubServer.start();
  });
  afterEach(async () => {
    await github.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  function run(script: string, preview: string, status: number, more: Record<string, string> = {}) {
    const event = path.join(folder, "event.json");
    fs.writeFileSync(event, JSON.stringify({ pull_request: { number: 1, head: { sha: "a".repeat(40) } } }));
    const env = {
      PATH: `${folder}/bin:${process.env["PATH"]}`,
      HOME: folder,
      TMPDIR: folder,
      CALLS: path.join(folder, "calls"),
      PLACES: path.join(folder, "places"),
      PREVIEW: path.join(root, `test/preview/recorded/${preview}`),
      STATUS: String(status),
      PULUMI_STACK: "dev",
      PULUMI_BACKEND_URL: "s3://state",
      GITHUB_API_URL: github.url,
      GITHUB_REPOSITORY: REPOSITORY,
      GITHUB_TOKEN: TOKEN,
      GITHUB_EVENT_PATH: event,
      GITHUB_STEP_SUMMARY: path.join(folder, "summary"),
      ...more,
    };
    return new Promise<{ code: number; stderr: string }>((resolve) => {
      const file = path.join(folder, ".github/scripts", script);
      const child = execFile(file, { env, timeout: WAIT_MILLISECONDS }, (_, __, stderr) =>
        resolve({ code: child.exitCode ?? -1, stderr }),
      );
    });
  }
  const written = (file: string) => fs.readFileSync(path.join(folder, file), "utf8");
  const leftovers = () => fs.readdirSync(folder).filter((name) => name.startsWith("tmp."));

  it("previews one stack, and shows it in the summary and in a comment", async () => {
    const { code, stderr } = await run("preview.sh", "instance-type", 0);
    assert.equal(code, 0, stderr);
    // Nothing else: no file held the debug message while the engine ran.
    assert.equal(written("calls"), "pulumi preview --json --non-interactive --policy-pack policy --stack dev\n");
    assert.doesNotMatch(written("summary"), /the-machine/);
    assert.match(written("summary"), /1 updated/);
    const [comment, ...others] = await github.comments();
    assert.deepEqual(others, []);
    assert.match(comment!.body, /1 updated/);
    assert.deepEqual(leftovers(), []);
  });

  it("previews an empty stack without the state and without what is encrypted, where it may know no secret", async () => {
    fs.writeFileSync(
      path.join(folder, "Pulumi.dev.yaml"),
      [
        "secretsprovider: awskms:///alias/state",
        "encryptedkey: AQICAHg=",
        "config:",
        "  aws:region: eu-west-1",
        "  pulumi-nixos:adoptedKey:",
        "    secure: v1:abc:def",
        "  pulumi-nixos:machine: { httpPorts: [80, 443], amiId: { secure: v1:x }, extraRules: [a, { secure: v1:x }] }",
        "  pulumi-nixos:nested: { list: [{ deep: { secure: v1:x } }] }",
      ].join("\n"),
    );
    const { code, stderr } = await run("preview.sh", "create", 0, { PREVIEWS: "cloud", PULUMI_BACKEND_URL: "" });
    assert.equal(code, 0, stderr);
    assert.equal(
      written("calls"),
      "pulumi stack init empty --secrets-provider passphrase --non-interactive\n" +
        "pulumi preview --json --non-interactive --policy-pack policy --stack empty\n",
    );
    assert.match(written("places"), /^file:\/\/\S+\/tmp\.\w+\/state true\n$/);
    assert.deepEqual(parse(written("places.yaml")), {
      config: {
        "aws:region": "eu-west-1",
        "pulumi-nixos:machine": { httpPorts: [80, 443] },
        "pulumi-nixos:nested": {},
      },
    });
    assert.equal((await github.comments()).length, 1);
    assert.deepEqual(leftovers(), []);
    assert.equal(fs.existsSync(path.join(folder, "Pulumi.empty.yaml")), false);
  });

  it("refuses a word for previews that it does not know, and asks for the state only where it is read", async () => {
    const { code, stderr } = await run("preview.sh", "page", 0, { PREVIEWS: "all" });
    assert.equal(code, 1);
    assert.match(stderr, /PREVIEWS of the repository is "all"; allowed: state, cloud/);
    assert.match((await run("preview.sh", "page", 0, { PULUMI_BACKEND_URL: "" })).stderr, /where the state is/);
  });

  it("installs the engine of the pinned hash only, and runs nothing of another one", async () => {
    const archive = path.join(folder, "pulumi.tar.gz");
    fs.mkdirSync(path.join(folder, "pulumi"));
    fs.writeFileSync(path.join(folder, "pulumi/pulumi"), "#!/bin/sh\ntouch ran\n", { mode: 0o755 });
    execFileSync("tar", ["-czf", archive, "-C", folder, "pulumi"]);
    const paths = path.join(folder, "path");
    const more = { GITHUB_PATH: paths, RUNNER_TEMP: folder, PULUMI_ARCHIVE: `file://${archive}` };
    const refused = await run("install-pulumi.sh", "page", 0, more);
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      /another SHA-256 than pinned:\n {2}expected 94ba[0-9a-f]{60}\n {2}got {6}[0-9a-f]{64}/,
    );
    assert.equal(fs.existsSync(paths), false);

    const script = path.join(folder, ".github/scripts/install-pulumi.sh");
    const sum = createHash("sha256").update(fs.readFileSync(archive)).digest("hex");
    fs.writeFileSync(script, fs.readFileSync(script, "utf8").replace(/^sha256=.*$/m, `sha256=${sum}`));
    const { code, stderr } = await run("install-pulumi.sh", "page", 0, more);
    assert.equal(code, 0, stderr);
    fs.accessSync(path.join(written("path").trim(), "pulumi"), fs.constants.X_OK);
  });

  it("ends with the preview's exit status, after the comment that explains it", async () => {
    const { code } = await run("preview.sh", "broken-flake", 255);
    assert.equal(code, 255);
    assert.equal((await github.comments()).length, 1);
  });

  it("shows what the policies found, and fails as the preview did", async () => {
    assert.equal((await run("preview.sh", "policies", 1)).code, 1);
    const [comment] = await github.comments();
    assert.match(comment!.body, /blocked by 1 mandatory policy/);
    assert.match(written("summary"), /blocked by 1 mandatory policy/);
  });

  it("explains a preview that failed before it began by what it said", async () => {
    fs.writeFileSync(
      path.join(folder, "bin/pulumi"),
      PULUMI.replace('cat "$PREVIEW.events.jsonl"', "").replace(/^printf .*$/m, ""),
    );
    assert.equal((await run("preview.sh", "page", 255)).code, 255);
    assert.match((await github.comments())[0]!.body, /the preview failed[^]*said by the engine/);
  });

  it("has the preview's verdict even when GitHub takes no comment", async () => {
    github.fail(/POST .*comments/, { status: 403 });
    assert.equal((await run("preview.sh", "instance-type", 0)).code, 0);
    assert.match(written("summary"), /1 updated/);
  });

  it("names the variables that are missing", async () => {
    const { code, stderr } = await run("preview.sh", "page", 0, { PULUMI_STACK: "" });
    assert.equal(code, 1);
    assert.match(stderr, /set the variable PULUMI_STACK of the repository/);
  });

  it("refreshes for drift, asks for the machine, and writes the issue with the job's own token", async () => {
    const { code, stderr } = await run("drift.sh", "network", 0, { GITHUB_TOKEN: "other", ISSUE_TOKEN: TOKEN });
    assert.equal(code, 0, stderr);
    assert.deepEqual(written("calls").trim().split("\n"), [
      "pulumi preview --refresh --json --non-interactive --stack dev",
      "pulumi stack output url --stack dev",
    ]);
    const issues = (await github.call("GET", `/repos/${REPOSITORY}/issues?state=open`)) as { title: string }[];
    assert.ok(issues.some(({ title }) => title === "Drift in pulumi-nixos/dev"));
    assert.deepEqual(leftovers(), []);
  });

  it("fails, and says so in the issue, when the preview for drift failed", async () => {
    assert.equal((await run("drift.sh", "broken-flake", 255)).code, 1);
    const issues = (await github.call("GET", `/repos/${REPOSITORY}/issues?state=open`)) as { body: string | null }[];
    assert.ok(issues.some(({ body }) => body?.includes("could not be compared")));
  });
});
