/**
 * What git, ssh and GitHub say when something is wrong, and what each answer is taken for: recorded answers, run through
 * both places that have the rules, the machine's (nix/upgrade/trouble.sh, by the real bash, jq and sed) and that of the
 * deployment program and the commands. Each row names its source. What they cannot prove: that GitHub says the same today.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { githubTrouble } from "../cli/common/githubTrouble";
import { type BranchAnswer, revisionFrom, revisionIn } from "../components/deploy/revision.mjs";
import { gitTrouble } from "../components/deploy/trouble.mjs";
import { sourced } from "../cli/rehearse/upgrade/programs";

interface GitCase {
  name: string;
  code: number;
  stderr: string;
  kind: string;
  fault: string;
  says: string;
  wait?: number;
  hides?: string;
}

interface GithubCase {
  name: string;
  status: number;
  headers: Record<string, string>;
  body: string;
  kind: string;
  /** Where the machine has one kind for what the commands tell apart. */
  machine?: string;
  fault: string;
  says: string;
  wait: number | null;
  hides?: string;
}

interface RevisionCase {
  name: string;
  branch: string;
  list?: string;
  body?: unknown;
  revision?: string;
  missing?: boolean;
}

interface Verdict {
  kind: string;
  fault: string;
  wait: number | null;
  message: string;
}

const read = (file: string) => JSON.parse(fs.readFileSync(path.join(__dirname, file), "utf8")) as unknown;
const gitCases = read("trouble/git.json") as GitCase[];
const githubCases = read("trouble/github.json") as GithubCase[];
const revisions = read("revisions.json") as { git: RevisionCase[]; rest: RevisionCase[] };

const upgrade = path.join(__dirname, "../nix/upgrade");

/** Runs one call of a function for each input of files, all in one shell. */
function inShell(call: string, inputs: string[][]): string[] {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "trouble-"));
  try {
    inputs.forEach((files, row) =>
      files.forEach((text, at) => fs.writeFileSync(path.join(folder, `${row}.${at}`), text)),
    );
    const script = `source "$UPGRADE_COMMON"; source "$UPGRADE_REPOSITORY"
      for ((row = 0; row < ${inputs.length}; row++)); do f=${folder}/$row; { ${call}; } || true; printf '\\0'; done`;
    const env = {
      PATH: process.env["PATH"],
      ...Object.fromEntries(Object.entries(sourced).map(([name, file]) => [name, path.join(upgrade, file)])),
      ...{
        UPGRADE_STATE: folder,
        UPGRADE_MACHINE_KEY: "none",
        UPGRADE_KNOWN_HOSTS: "none",
        UPGRADE_ACCESS: "deploy-key",
      },
    };
    const text = execFileSync("bash", ["-uo", "pipefail", "-c", script], {
      ...{ env, encoding: "utf8" as const, stdio: ["ignore", "pipe", "inherit"] as const },
    });
    return text.split("\0").slice(0, -1);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

/** What may stand in a log and on a page: one line, nothing that a terminal obeys, no token. */
function assertHarmless(message: string, hidden: string | undefined): void {
  // eslint-disable-next-line no-control-regex
  assert.doesNotMatch(message, /[\u0000-\u001f\u007f]/);
  if (hidden !== undefined) assert.ok(!message.includes(hidden), message);
}

describe("trouble with git and ssh", () => {
  let shell: Verdict[];
  before(() => {
    const answers = inShell(
      'git_trouble "$(<$f.0)" $f.1',
      gitCases.map(({ code, stderr }) => [String(code), stderr]),
    );
    shell = answers.map((answer) => JSON.parse(answer) as Verdict);
  });

  gitCases.forEach(({ name, code, stderr, kind, fault, says, wait, hides }, row) => {
    it(`is ${kind}: ${name}`, () => {
      const here = gitTrouble({ code, stderr });
      const there = shell[row]!;
      for (const [who, verdict] of Object.entries({ here: { ...here, message: here.found }, there })) {
        assert.deepEqual([verdict.kind, verdict.fault, verdict.wait ?? undefined], [kind, fault, wait], who);
        assert.ok(verdict.message.includes(says), `${who}: ${verdict.message}`);
        assert.doesNotMatch(verdict.message, /and the repository exists|correct access rights/, who);
        assertHarmless(verdict.message, hides);
      }
    });
  });

  it("is told of a signal as Node.js tells it", () => {
    const found = gitTrouble({ code: null, signal: "SIGKILL", stderr: "" }).found;
    assert.equal(found, "git was ended by SIGKILL (out of memory?)");
  });

  it("names the folder that is to be trusted", () => {
    const { stderr } = gitCases.find(({ kind }) => kind === "ownership")!;
    assert.match(gitTrouble({ code: 128, stderr }).remedy, /git config --global --add safe\.directory \/srv\/infra$/);
  });
});

describe("trouble with the request itself, on the machine", () => {
  // curl's own words, by its exit code.
  const cases: [number, string, string, string][] = [
    [6, "curl: (6) Could not resolve host: api.github.com", "unreachable", "server"],
    [7, "curl: (7) Failed to connect to api.github.com port 443 after 3 ms: Couldn't connect", "unreachable", "server"],
    [23, "curl: (23) Failure writing output to destination", "disk", "machine"],
    [28, "curl: (28) Operation timed out after 30001 milliseconds with 0 bytes received", "timeout", "server"],
    [
      35,
      "curl: (35) OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to api.github.com:443",
      "unreachable",
      "server",
    ],
    [35, "curl: (35) gnutls_handshake() failed: Error in the pull function.", "unreachable", "server"],
    [35, "curl: (35) Recv failure: Connection reset by peer", "unreachable", "server"],
    [35, "curl: (35) error:0A00010B:SSL routines::wrong version number", "tls", "machine"],
    [52, "curl: (52) Empty reply from server", "unreachable", "server"],
    [56, "curl: (56) Received HTTP code 407 from proxy after CONNECT", "unreachable", "server"],
    [60, "curl: (60) SSL certificate problem: certificate is not yet valid", "tls", "machine"],
    [77, "curl: (77) error setting certificate file: /etc/ssl/certs/ca-bundle.crt", "tls", "machine"],
    [92, "curl: (92) HTTP/2 stream 1 was not closed cleanly: INTERNAL_ERROR (err 2)", "unreachable", "server"],
    [137, "", "killed", "machine"],
  ];
  let shell: Verdict[];
  before(() => {
    const answers = inShell(
      'curl_trouble "$(<$f.0)" $f.1',
      cases.map(([code, words]) => [String(code), `${words}\n`]),
    );
    shell = answers.map((answer) => JSON.parse(answer) as Verdict);
  });
  cases.forEach(([code, words, kind, fault], row) => {
    it(`is ${kind}: ${words || `exit code ${code}`}`, () => {
      assert.deepEqual([shell[row]!.kind, shell[row]!.fault], [kind, fault]);
      const said = words.replace(/^curl: \(\d+\) /, "");
      if (!["killed", "timeout"].includes(kind)) assert.ok(shell[row]!.message.includes(said), shell[row]!.message);
    });
  });
});

describe("trouble with GitHub's REST API", () => {
  let now: number;
  /** "+600" and "date+180" are times from now. */
  const filled = (headers: Record<string, string>) =>
    Object.entries(headers).map(([name, value]): [string, string] => {
      const [, date, offset] = /^(date)?([+-]\d+)$/.exec(value) ?? [];
      if (offset === undefined) return [name, value];
      const time = now + Number(offset);
      return [name, date === undefined ? String(time) : new Date(time * 1000).toUTCString()];
    });
  let shell: Verdict[];
  before(() => {
    now = Math.floor(Date.now() / 1000);
    const answers = inShell(
      'github_trouble "$(<$f.0)" $f.1 $f.2',
      githubCases.map(({ status, headers, body }) => {
        const lines = [`HTTP/2 ${status}`, ...filled(headers).map(([name, value]) => `${name}: ${value}`)];
        return [String(status), `${lines.join("\r\n")}\r\n\r\n`, body];
      }),
    );
    shell = answers.map((answer) => JSON.parse(answer) as Verdict);
  });

  githubCases.forEach(({ name, status, headers, body, kind, machine, fault, says, wait, hides }, row) => {
    it(`is ${kind}: ${name}`, () => {
      let message: unknown = "";
      try {
        message = (JSON.parse(body) as { message?: unknown }).message;
      } catch {
        // Not JSON.
      }
      const text = typeof message === "string" ? message : "";
      const here = githubTrouble({ status, headers: new Headers(filled(headers)), message: text });
      const there = shell[row]!;
      assert.deepEqual([here.kind, here.fault, here.wait ?? null].slice(0, 2), [kind, fault]);
      assert.deepEqual([there.kind, there.fault], [machine ?? kind, fault]);
      for (const verdict of [{ ...here, message: here.found }, there]) {
        assert.ok(verdict.message.includes(says), verdict.message);
        assertHarmless(verdict.message, hides);
        if (wait === null) continue;
        // The test itself takes a while, which counts where a time is named.
        const late = JSON.stringify(filled(headers)) === JSON.stringify(Object.entries(headers)) ? 0 : 60;
        assert.ok(verdict.wait! <= wait && verdict.wait! >= Math.max(0, wait - late), `wait ${verdict.wait}`);
      }
      assert.ok(here.remedy !== "");
    });
  });
});

describe("a branch's revision", () => {
  function check(rows: RevisionCase[], here: (row: RevisionCase) => BranchAnswer, there: string[]): void {
    rows.forEach((row, at) => {
      const answer = here(row);
      const [status, text] = [there[at]!.slice(0, 1), there[at]!.slice(2)];
      if (row.revision !== undefined) {
        assert.deepEqual([answer, status, text], [{ revision: row.revision }, "0", row.revision], row.name);
      } else if (row.missing === true) {
        assert.deepEqual([answer, status, text], [{ missing: true }, "1", ""], row.name);
      } else {
        assert.ok("problem" in answer && answer.problem !== "", row.name);
        assert.equal(status, "2", `${row.name}: ${text}`);
      }
    });
  }

  it("is found in the list of branches, here and on the machine", () => {
    const call =
      'source "$UPGRADE_WAYS/deploy-key.sh"; status=0; text=$(revision_in "$(<$f.0)" $f.1) || status=$?; printf "%s" "$status $text"';
    const there = inShell(
      call,
      revisions.git.map(({ branch, list }) => [branch, list!]),
    );
    check(revisions.git, ({ list, branch }) => revisionIn(list!, branch), there);
  });

  it("is found in GitHub's answer, here and on the machine", () => {
    const call =
      'source "$UPGRADE_WAYS/token.sh"; status=0; text=$(revision_from "$(<$f.0)" $f.1) || status=$?; printf "%s" "$status $text"';
    const there = inShell(
      call,
      revisions.rest.map(({ branch, body }) => [branch, JSON.stringify(body)]),
    );
    check(revisions.rest, ({ body, branch }) => revisionFrom(body, branch), there);
  });
});
