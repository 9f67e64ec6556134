/**
 * Posts comments over HTTP to an emulated GitHub. What the emulator is not asked to prove: GitHub's own wording, its
 * limit on a comment's length, and how it treats the token of a workflow, which is injected here as it is documented.
 */
import * as assert from "node:assert/strict";
import { Github, githubApi, IN_A_JOB } from "../../cli/common/github";
import { keepMarked } from "../../cli/common/marked";
import { commentsOn, marker } from "../../cli/preview/comment";
import { type LocalServer, serve } from "../support/server";
import { GithubServer, REPOSITORY, STRANGER, TOKEN } from "./githubServer";

const MARK = marker("pulumi-nixos", "dev");
/** As patient as in earnest, but in milliseconds. */
const QUICK = { ...IN_A_JOB, secondMilliseconds: 1 };

describe("posting the comment", () => {
  let github: GithubServer;
  let pullRequest: number;
  let api: string;

  beforeEach(async () => {
    github = await GithubServer.start();
    api = github.url;
    pullRequest = 1;
  });
  afterEach(() => github.stop());

  const post = (body: string, mark = MARK) => {
    const client = new Github(api, TOKEN, QUICK);
    return keepMarked(client, commentsOn(client, { repository: REPOSITORY, pullRequest }), mark, { body });
  };
  const bodies = async () => (await github.comments()).map(({ body }) => body);
  const written = () => github.asked.filter(({ method }) => method !== "GET").map(({ method }) => method);

  it("creates it once and edits it from then on", async () => {
    assert.equal((await post("one")).done, true);
    assert.equal((await post("two")).done, true);
    assert.deepEqual(await bodies(), [`${MARK}\ntwo`]);
    assert.deepEqual(written(), ["POST", "PATCH"]);
  });

  it("leaves it alone when it says the same already", async () => {
    await post("one");
    await post("one");
    assert.deepEqual(written(), ["POST"]);
  });

  it("keeps one for each project and stack", async () => {
    await post("dev");
    await post("prod", marker("pulumi-nixos", "prod"));
    await post("dev 2");
    assert.deepEqual(await bodies(), [`${MARK}\ndev 2`, `${marker("pulumi-nixos", "prod")}\nprod`]);
  });

  it("finds it behind many pages of other comments", async () => {
    const comments = `/repos/${REPOSITORY}/issues/1/comments`;
    for (let at = 0; at < 230; at++) await github.call("POST", comments, { body: `talk ${at}` }, STRANGER);
    await post("one");
    await post("two");
    assert.deepEqual(written(), ["POST", "PATCH"]);
    assert.ok(github.asked.some(({ path }) => path.includes("page=3")));
  });

  it("does not touch a stranger's comment that begins with the mark", async () => {
    await github.call("POST", `/repos/${REPOSITORY}/issues/1/comments`, { body: `${MARK}\nfake` }, STRANGER);
    await post("one");
    assert.deepEqual(await bodies(), [`${MARK}\nfake`, `${MARK}\none`]);
  });

  it("does not take a comment that only quotes the mark for its own", async () => {
    await github.call("POST", `/repos/${REPOSITORY}/issues/1/comments`, { body: `see ${MARK}` });
    await post("one");
    assert.deepEqual(await bodies(), [`see ${MARK}`, `${MARK}\none`]);
  });

  it("works with the token of a workflow, which may not ask who it is", async () => {
    const refused = { status: 403, body: '{"message": "Resource not accessible by integration"}' };
    github.fail(/^GET \/user/, refused);
    assert.equal((await post("one")).done, true);
  });

  it("leaves one comment after two runs at the same time", async () => {
    const [one, other] = await Promise.all([post("one"), post("two")]);
    assert.deepEqual([one.done, other.done], [true, true]);
    const left = await bodies();
    assert.equal(left.length, 1);
    await post("three");
    assert.deepEqual(await bodies(), [`${MARK}\nthree`]);
  });

  for (const [what, ...faults] of [
    ["a dropped connection", "drop", "drop"],
    ["a 502", { status: 502, body: "<html>Bad Gateway</html>" }, { status: 503 }],
    ["a 429", { status: 429, headers: { "retry-after": "0" } }],
    ["a secondary rate limit", { status: 403, headers: { "retry-after": "0" } }],
    ["a 200 that is no JSON", { status: 200, body: "<html>" }],
  ] as const) {
    for (const request of ["GET \\/user", "GET \\/repos", "POST"]) {
      it(`tries again after ${what} (${request.replace("\\", "")})`, async () => {
        github.fail(new RegExp(`^${request}`), ...faults);
        const { done, message } = await post("one");
        assert.equal(done, true, message);
        assert.deepEqual(await bodies(), [`${MARK}\none`]);
      });
    }
  }

  it("waits as long as GitHub asks before it tries again", async () => {
    github.fail(/^GET \/user/, { status: 503, headers: { "retry-after": "80" } });
    const begun = performance.now();
    assert.equal((await post("one")).done, true);
    // A second is a millisecond here.
    assert.ok(performance.now() - begun >= 80);
  });

  it("makes no second comment when only the answer to the first was lost", async () => {
    github.fail(/^POST/, "lost");
    assert.equal((await post("one")).done, true);
    assert.deepEqual(await bodies(), [`${MARK}\none`]);
    assert.deepEqual(written(), ["POST"]);
  });

  it("tries again when an answer breaks off", async () => {
    github.fail(/^GET \/repos/, "truncate");
    assert.equal((await post("one")).done, true);
  });

  it("gives up after five attempts and says so", async () => {
    github.fail(/^POST/, ...Array.from({ length: 9 }, () => ({ status: 502 })));
    const { done, message } = await post("one");
    assert.equal(done, false);
    assert.match(message, /^writing it: GitHub answers with status 502: injected \(5 attempts\)\. /);
    assert.equal(written().length, 5);
  });

  it("does not wait for a rate limit that ends in an hour", async () => {
    const reset = String(Math.ceil(Date.now() / 1000) + 3600);
    github.fail(/^POST/, { status: 403, headers: { "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset } });
    const { done, message } = await post("one");
    assert.equal(done, false);
    assert.match(message, /limit of requests is used up \(403: injected\)\. Wait and run this again\. It ends at /);
    assert.equal(written().length, 1);
  });

  for (const [status, pattern] of [
    [401, /token: it has expired.*settings\/tokens/],
    [403, /pull-requests: write.*forks.*locked/],
    [404, /no example\/server#1, or the token cannot see it/],
    [422, /does not accept the request \(422: injected\)/],
    [301, /renamed or transferred/],
  ] as const) {
    it(`explains a ${status} and does not try again`, async () => {
      github.fail(/^POST/, { status });
      const { done, message } = await post("one");
      assert.equal(done, false);
      assert.match(message, pattern);
      assert.doesNotMatch(message, new RegExp(TOKEN));
      assert.equal(written().length, 1);
    });
  }

  it("explains a pull request that is not there", async () => {
    pullRequest = 77;
    const { done, message } = await post("one");
    assert.equal(done, false);
    assert.match(message, /404.*no example\/server#77/);
  });

  it("explains a server that is not there", async () => {
    api = "http://127.0.0.1:9";
    const { done, message } = await post("one");
    assert.equal(done, false);
    assert.match(
      message,
      /^asking whose token this is: GitHub: no connection \(.*\) \(5 attempts\)\. Check the network/,
    );
  });
});

describe("a list of GitHub's", () => {
  let server: LocalServer;
  let asked = 0;
  afterEach(() => server.stop());
  /** Answers each page with what there is to see of it. */
  const list = async (rows: (page: number) => number[], more: (page: number) => boolean) => {
    asked = 0;
    server = await serve((request, response) => {
      asked++;
      const page = Number(new URL(request.url!, server.url).searchParams.get("page"));
      if (more(page)) response.setHeader("link", `<${server.url}/list?page=${page + 1}>; rel="next"`);
      // A server may say this of any address; nobody who runs a command can do anything about it.
      response.setHeader("deprecation", "true");
      response.setHeader("content-type", "application/json").end(JSON.stringify(rows(page)));
    });
    return new Github(server.url, TOKEN, QUICK).list("looking", "/list");
  };

  it("goes on behind a page from which GitHub left something out", async () => {
    assert.deepEqual(
      await list(
        (page) => [page],
        (page) => page < 3,
      ),
      [1, 2, 3],
    );
  });

  it("is given up where it has no end", async () => {
    const full = Array.from({ length: 100 }, () => 0);
    await assert.rejects(
      list(
        () => full,
        () => false,
      ),
      /^UserError: looking: the list has more than 200 pages/,
    );
    assert.equal(asked, 200);
  });

  it("says nothing of its own on the terminal", async () => {
    const warn = console.warn;
    const said: unknown[] = [];
    console.warn = (...words) => void said.push(words);
    try {
      await list(
        () => [],
        () => false,
      );
    } finally {
      console.warn = warn;
    }
    assert.deepEqual(said, []);
  });

  for (const body of ["null", "[]", '"no"', "1", "", "<p>no</p>", '{"message": null}']) {
    it(`is no lost connection where it answers 502 with ${JSON.stringify(body)}`, async () => {
      server = await serve((_, response) =>
        response.writeHead(502, { "content-type": "application/json; charset=utf-8" }).end(body),
      );
      const { status, trouble } = await new Github(server.url, TOKEN, { ...QUICK, attempts: 1 }).get("/user");
      assert.deepEqual([status, trouble], [502, ""]);
    });
  }

  for (const status of [301, 302, 303, 307, 308]) {
    it(`gives no other server the token (${status})`, async () => {
      const tokens: unknown[] = [];
      const other = await serve((request, response) => {
        tokens.push(request.headers.authorization);
        response.setHeader("content-type", "application/json").end("{}");
      });
      server = await serve((_, response) => void response.writeHead(status, { location: `${other.url}/there` }).end());
      try {
        const github = new Github(server.url, TOKEN, QUICK);
        assert.equal((await github.get("/user")).status, 200);
        for (const method of ["POST", "PATCH", "DELETE"]) assert.equal((await github.ask(method, "/x")).status, status);
        assert.deepEqual(tokens, [undefined]);
      } finally {
        await other.stop();
      }
    });
  }
});

describe("GitHub's address", () => {
  it("is the workflow's, the provider's or github.com's, in this order", () => {
    assert.equal(githubApi({}), "https://api.github.com");
    assert.equal(githubApi({ GITHUB_API_URL: "", GITHUB_BASE_URL: "http://127.0.0.1:1/" }), "http://127.0.0.1:1");
    const both = { GITHUB_API_URL: "https://github.example.com/api/v3//", GITHUB_BASE_URL: "https://api.github.com" };
    assert.equal(githubApi(both), "https://github.example.com/api/v3");
  });
});

describe("the mark", () => {
  it("is one HTML comment, whatever the names are", () => {
    for (const name of ["dev", "org/dev", "a--b", "a-->b", "a---b", "-", "-->", "ü\n"]) {
      assert.match(marker(name, name), /^<!-- preview-comment (?:(?!--)[!-~])+ -->$/);
    }
  });

  it("differs for different stacks", () => {
    assert.notEqual(marker("a", "b/c"), marker("a/b", "c"));
  });
});
