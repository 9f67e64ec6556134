/**
 * The search for drift: recorded previews of a real engine, answers of a machine, an emulated GitHub over HTTP.
 * Cannot prove: what a refreshed preview of the real AWS finds, or that the role for it may read everything.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { driftReport } from "../../cli/ci/driftReport";
import { FOREIGN, UNSEEN } from "../../components/signals";
import { issuesOf } from "../../cli/ci/issue";
import { Github, IN_A_JOB } from "../../cli/common/github";
import { keepMarked } from "../../cli/common/marked";
import { askMachine, machineProblem, problemOf } from "../../cli/ci/machineStatus";
import { readPreview } from "../../cli/preview/read";
import { toMarkdown } from "../../cli/render/markdown";
import { serve } from "../support/server";
import { GithubServer, REPOSITORY, STRANGER, TOKEN } from "../preview/githubServer";
import { run } from "../../cli/rehearse/processes";

const root = path.resolve(__dirname, "../..");
const recorded = (name: string) => path.join(root, `test/preview/recorded/${name}.json`);
const drift = (name: string, machine?: string) => {
  const exitCode = name === "broken-flake" ? 1 : 0;
  const { clean, report } = driftReport(readPreview(readFileSync(recorded(name), "utf8"), { exitCode }), machine);
  return { clean, text: toMarkdown(report, 65_536) };
};

const NEWEST = "a".repeat(40);
const NOW = new Date("2026-01-02T03:04:05Z");
const status = (more: object) => ({
  status: 200,
  headers: new Headers(),
  text: "",
  trouble: "",
  body: {
    ...{ state: "current", healthy: true, summary: "Fine.", revision: NEWEST },
    ...{ staleAfter: "2026-01-02T03:09:00Z", written: "2026-01-02T03:04:00Z" },
    ...more,
  },
});

describe("driftReport", () => {
  it("finds none where nothing differs", () => {
    assert.equal(drift("no-effect").clean, true);
  });

  it("does not count a deployment, whose trigger the machine has left behind", () => {
    assert.equal(drift("page").clean, true);
  });

  it("says what an update would change", () => {
    const { clean, text } = drift("instance-type");
    assert.equal(clean, false);
    assert.match(text, /The infrastructure differs \(1 updated\)/);
    assert.match(text, /t3\.small/);
  });

  it("names what was added by hand, of which no resource differs, and no other warning", () => {
    const read = readPreview(readFileSync(recorded("no-effect"), "utf8"), { exitCode: 0 });
    const rule = `The security group sg-1 has rules that are ${FOREIGN}:\n  sgr-1: tcp 8080 from 0.0.0.0/0`;
    const warnings = [rule, "t3.micro has 1 GiB of memory or less"].map((message) => ({
      severity: "warning" as const,
      message,
    }));
    const { clean, report } = driftReport({ ...read, warnings }, undefined);
    assert.equal(clean, false);
    const text = toMarkdown(report, 65_536);
    assert.match(text, /Something was added by hand/);
    assert.match(text, /sgr-1: tcp 8080 from 0\.0\.0\.0\/0/);
    assert.doesNotMatch(text, /t3\.micro/);
    assert.equal(driftReport({ ...read, warnings: warnings.slice(1) }, undefined).clean, true);
  });

  it("does not take a look that was refused for one that found nothing", () => {
    const read = readPreview(readFileSync(recorded("no-effect"), "utf8"), { exitCode: 0 });
    const message = `It ${UNSEEN} somebody added rules to the firewall by hand: UnauthorizedOperation`;
    const { clean, report } = driftReport({ ...read, warnings: [{ severity: "warning", message }] }, undefined);
    assert.equal(clean, false);
    const text = toMarkdown(report, 65_536);
    assert.match(text, /Not everything that is added by hand could be looked for/);
    assert.match(text, /UnauthorizedOperation/);
  });

  it("says that nothing could be compared, with the error, when the preview failed", () => {
    const { clean, text } = drift("broken-flake");
    assert.equal(clean, false);
    assert.match(text, /The infrastructure could not be compared/);
  });

  it("says what is wrong with the machine, as text that can neither format nor mention", () => {
    const { clean, text } = drift("no-effect", "The machine says: <b>@everyone</b>");
    assert.equal(clean, false);
    assert.match(text, /^#+ The machine needs attention\n+```text\nThe machine says: <b>@everyone<\/b>\n```/);
  });
});

describe("problemOf the machine", () => {
  const problem = (more: object) => problemOf(status(more), NEWEST, NOW);

  it("takes nothing for a status that has not its form, and repeats no more than a line of it", () => {
    for (const more of [
      { staleAfter: "" },
      { staleAfter: "later" },
      { state: "@everyone x" },
      { revision: "<b>" },
      { state: ["current"] },
    ])
      assert.equal(problem(more), "The machine answers /status.json with something else than its status.");
    const said = problem({ healthy: false, summary: `\u001b[31m${"x".repeat(5000)}\n@everyone` }) ?? "";
    assert.ok(said.length < 400, said);
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(said, /[\u0000-\u001f]/);
  });

  // Fault 90
  it("reads no answer without end, follows nobody elsewhere, and reads no JSON without end", async () => {
    let asked = 0;
    const server = createServer((request, response) => {
      asked += 1;
      if (request.url === "/status.json" && request.headers.host?.startsWith("127.0.0.1"))
        return void response.writeHead(302, { location: `http://localhost:${port}/elsewhere` }).end();
      if (request.url === "/elsewhere") throw new Error("it was followed");
      if (asked % 2 === 0) return void response.end("[".repeat(60_000));
      response.on("error", () => {});
      const flood = () => {
        while (response.write("x".repeat(65_536)));
        response.once("drain", flood);
      };
      flood();
    });
    // By every address of this computer.
    await new Promise<void>((resolve) => server.listen(0, resolve));
    const { port } = server.address() as AddressInfo;
    try {
      assert.equal((await askMachine(`http://127.0.0.1:${port}`)).status, 302);
      asked = 0;
      const { status, trouble } = await askMachine(`http://localhost:${port}`);
      assert.deepEqual([status, trouble], [0, "the answer is longer than 65,536 bytes"]);
      assert.equal((await askMachine(`http://localhost:${port}`)).body, undefined);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it("is none where the newest revision runs, or is on its way", () => {
    assert.equal(problem({}), undefined);
    for (const state of ["upgrading", "held", "waiting", "starting"]) {
      assert.equal(problem({ state, revision: "b".repeat(40) }), undefined);
    }
  });

  it("names another revision, or that it is not known", () => {
    assert.match(problem({ revision: "b".repeat(40) })!, /runs b{40}, and main is at a{40}/);
    assert.match(problem({ revision: null })!, /runs a revision that it does not know/);
  });

  it("repeats what a machine says that is not well", () => {
    assert.equal(problem({ healthy: false, summary: "Fallen behind." }), "The machine says: Fallen behind.");
  });

  it("sees that the machine has stopped writing", () => {
    assert.match(problem({ staleAfter: "2026-01-02T03:04:00Z" })!, /stopped writing its status/);
  });

  it("takes no other answer for a status", () => {
    assert.match(problemOf({ ...status({}), status: 502 }, NEWEST, NOW)!, /status 502/);
    assert.match(problemOf({ ...status({}), body: "<html>" }, NEWEST, NOW)!, /something else than its status/);
    assert.match(
      problemOf({ ...status({}), status: 0, trouble: "no answer within 15 s" }, NEWEST, NOW)!,
      /no answer within 15 s/,
    );
  });

  it("is asked again before a difference counts, over HTTP", async () => {
    const running = ["b".repeat(40), NEWEST];
    let asked = "";
    const machine = await serve((request, response) => {
      asked = request.url!;
      const { body } = status({ revision: running.shift(), staleAfter: "2100-01-01T00:00:00Z" });
      response.end(JSON.stringify(body));
    });
    try {
      assert.equal(await machineProblem(machine.url, NEWEST, askMachine, { times: 2, seconds: 0 }), undefined);
      assert.equal(asked, "/status.json");
      assert.deepEqual(running, []);
    } finally {
      await machine.stop();
    }
    assert.equal(await machineProblem("", NEWEST, askMachine, { times: 2, seconds: 0 }), undefined);
  });
});

describe("the issue about drift", () => {
  const mark = "<!-- drift project/stack -->";
  let github: GithubServer;

  beforeEach(async () => {
    github = await GithubServer.start();
  });
  afterEach(() => github.stop());

  const keep = (body: string | undefined) => {
    const client = new Github(github.url, TOKEN, { ...IN_A_JOB, secondMilliseconds: 1 });
    return keepMarked(client, issuesOf(client, REPOSITORY), mark, body === undefined ? body : { title: "Drift", body });
  };
  const issues = async (state: string) => {
    const all = await github.call("GET", `/repos/${REPOSITORY}/issues?state=${state}&per_page=100`);
    return (all as { number: number; title: string; body: string | null }[]).filter(({ title }) => title === "Drift");
  };

  it("is opened once, edited while something differs, and closed after that", async () => {
    assert.equal((await keep("one")).done, true);
    assert.match((await keep("two")).message, /^Edited issue/);
    const open = await issues("open");
    assert.deepEqual(
      open.map(({ body }) => body),
      [`${mark}\ntwo`],
    );
    assert.match((await keep(undefined)).message, /^Closed issue/);
    assert.deepEqual(await issues("open"), []);
    assert.equal((await keep(undefined)).message, "There is nothing to say, and nothing was said.");
    assert.equal((await issues("closed")).length, 1);
  });

  it("leaves an issue alone in which a stranger wrote the mark", async () => {
    await github.call("POST", `/repos/${REPOSITORY}/issues`, { title: "Drift", body: `${mark}\nplanted` }, STRANGER);
    await keep("ours");
    assert.deepEqual((await issues("open")).map(({ body }) => body).sort(), [`${mark}\nours`, `${mark}\nplanted`]);
  });

  it("is tried again after a fault of GitHub, and opened once when only the answer was lost", async () => {
    github.fail(/GET .*\/issues/, { status: 502 }, "drop");
    assert.equal((await keep("one")).done, true);
    github.fail(/POST .*\/issues/, "lost");
    await keep(undefined);
    assert.equal((await keep("two")).done, true);
    assert.equal((await issues("open")).length, 1);
  });

  it("is given up with the reason when GitHub refuses", async () => {
    github.fail(/POST .*\/issues/, { status: 403 });
    const { done, message } = await keep("one");
    assert.equal(done, false);
    assert.match(
      message,
      /^writing it: GitHub forbids this to the token \(403: injected\)\. The job needs permissions: issues: write/,
    );
  });

  describe("kept by the program", () => {
    const drift = (preview: string, more: string[], environment: Record<string, string> = {}) => {
      const args = ["--require", "tsx/cjs", "cli/ci/drift.ts", "--preview", recorded(preview), ...more];
      return run(process.execPath, args, { cwd: root, env: { PATH: process.env["PATH"], ...environment } });
    };
    const options = ["--stack", "project/stack", "--revision", NEWEST];

    it("says drift in the issue and ends well: it was compared and said", async () => {
      const environment = { GITHUB_API_URL: github.url, GITHUB_REPOSITORY: REPOSITORY, GITHUB_TOKEN: TOKEN };
      const { code, stderr } = await drift("instance-type", [...options, "--exit-code", "0"], environment);
      assert.equal(code, 0, stderr);
      const all = await github.call("GET", `/repos/${REPOSITORY}/issues?state=open`);
      const found = (all as { title: string; body: string | null }[]).filter(({ title }) => title.startsWith("Drift"));
      assert.deepEqual(
        found.map(({ title }) => title),
        ["Drift in project/stack"],
      );
      assert.match(found[0]!.body!, /^<!-- drift project%2Fstack -->\n/);
    });

    it("ends with 1 when nothing could be compared", async () => {
      const { code, stdout } = await drift("broken-flake", [...options, "--exit-code", "1"]);
      assert.equal(code, 1);
      assert.match(stdout, /could not be compared/);
    });

    it("says which options are missing", async () => {
      const { code, stderr } = await drift("page", []);
      assert.equal(code, 2);
      assert.match(stderr, /--stack is missing\.\n.*--revision is missing\./);
    });
  });
});
