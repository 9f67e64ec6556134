// The machine asking GitHub's REST API: the real scripts, curl and jq against a real HTTP server that answers as GitHub does,
// from a real repository. What it cannot prove: that GitHub's answers are still those that it gives here (the forms are
// those of docs.github.com: Git references, Compare two commits, Get a commit object; redirects: PyGithub#311).
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { type LocalServer, serve } from "../support/server";
import { Place } from "./scripts";

type Answer = { status: number; headers?: Record<string, string>; body?: unknown };

describe("the machine with a token", () => {
  let place: Place;
  let server: LocalServer;
  let main: string;
  let requests: string[];
  let answers: Record<string, Answer | undefined>;
  let api: string;

  const git = (...args: string[]) =>
    execFileSync("git", ["-C", place.repository, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });

  /** As GitHub would answer. */
  function truth(url: string): Answer {
    const [, what = ""] = /^\/(?:repos\/octocat\/site|repositories\/42)(.*)$/.exec(url) ?? [];
    if (what === "") return { status: 200, body: { full_name: "octocat/site" } };
    const [, branch] = /^\/git\/ref\/heads\/(.+)$/.exec(what) ?? [];
    try {
      if (branch !== undefined) {
        const sha = git("rev-parse", "--verify", `refs/heads/${branch}`).trim();
        return { status: 200, body: { ref: `refs/heads/${branch}`, object: { type: "commit", sha } } };
      }
      if (what.startsWith("/branches")) {
        const names = git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads").trim().split("\n");
        return { status: 200, body: names.filter(Boolean).map((name) => ({ name })) };
      }
      const [, base = "", head = ""] = /^\/compare\/(\w+)\.\.\.(\w+)$/.exec(what) ?? [];
      if (base !== "") {
        git("cat-file", "-e", `${head}^{commit}`);
        git("cat-file", "-e", `${base}^{commit}`);
        const merge = git("merge-base", base, head).trim();
        const status =
          merge === base ? (base === head ? "identical" : "ahead") : merge === head ? "behind" : "diverged";
        return { status: 200, body: { status, merge_base_commit: { sha: merge } } };
      }
      const [, commit] = /^\/git\/commits\/(\w+)$/.exec(what) ?? [];
      if (commit !== undefined) {
        const object = git("cat-file", "commit", commit);
        const [, signature] = /^gpgsig ((?:.*\n(?: .*\n)*))/m.exec(object) ?? [];
        const payload = object.replace(/^gpgsig .*\n(?: .*\n)*/m, "");
        const verification =
          signature === undefined
            ? { verified: true, payload: null, signature: null }
            : { verified: true, payload, signature: signature.replace(/\n /g, "\n").trim() };
        return { status: 200, body: { sha: commit, verification } };
      }
    } catch {
      // Not there.
    }
    return { status: 404, body: { message: "Not Found" } };
  }

  beforeEach(async () => {
    place = new Place();
    main = place.commit("one");
    place.push();
    requests = [];
    answers = {};
    server = await serve((request, response) => {
      const url = request.url ?? "";
      requests.push(`${url}${request.headers.authorization === "Bearer ghp_test" ? "" : " without the token"}`);
      const { status, headers, body } = answers[url] ?? answers["*"] ?? truth(url);
      response.writeHead(status, headers).end(typeof body === "string" ? body : JSON.stringify(body ?? {}));
    });
    api = server.url;
    place.settings["UPGRADE_ACCESS"] = "token";
    place.settings["UPGRADE_REMOTE"] = `${api}/repos/octocat/site`;
  });
  afterEach(async () => {
    await server.stop();
    place.remove();
  });

  const ref = "/repos/octocat/site/git/ref/heads/main";

  it("asks once, for the exact reference", async () => {
    assert.deepEqual(await place.remote(), { state: "ok", revision: main, tokenExpires: null, moved: null });
    assert.deepEqual(requests, [ref]);
  });

  it("does not take a tag of that name, nor a branch that ends alike", async () => {
    place.commit("evil");
    place.git("tag", "main");
    place.push("refs/tags/main");
    place.push("refs/heads/a/refs/heads/main");
    assert.equal((await place.remote())["revision"], main);
  });

  it("waits where there is no such branch, and names those that are", async () => {
    place.settings["UPGRADE_BRANCH"] = "live";
    assert.deepEqual(await place.remote(), { state: "waiting", branches: ["main"] });
  });

  it("waits where nothing was pushed", async () => {
    answers[ref] = { status: 409, body: { message: "Git Repository is empty." } };
    assert.deepEqual(await place.remote(), { state: "waiting", branches: [] });
  });

  it("does not wait where it may not read the repository", async () => {
    answers["*"] = { status: 404, body: { message: "Not Found" } };
    const { state, kind } = await place.remote();
    assert.deepEqual([state, kind], ["failing", "not-found"]);
  });

  it("waits as long as a secondary limit asks for, which has no headers", async () => {
    answers[ref] = {
      status: 403,
      headers: { "x-ratelimit-remaining": "4801" },
      body: { message: "You have exceeded a secondary rate limit. Please wait a few minutes before you try again." },
    };
    const before = Math.floor(Date.now() / 1000);
    const { kind, fault, notBefore } = await place.remote();
    assert.deepEqual([kind, fault], ["rate-limit", "server"]);
    assert.ok((notBefore as number) >= before + 55, String(notBefore));
  });

  describe("of a repository that was renamed", () => {
    beforeEach(() => {
      const location = (to: string) => ({
        status: 301,
        headers: { location: `${api}/repositories/42${to}` },
        body: { message: "Moved Permanently" },
      });
      answers[ref] = location("/git/ref/heads/main");
      answers["/repositories/42"] = { status: 200, body: { full_name: "acme/new-name" } };
    });

    // Fault 17
    it("goes on, and says what it is called now", async () => {
      assert.deepEqual(await place.remote(), {
        state: "ok",
        revision: main,
        tokenExpires: null,
        moved: "acme/new-name",
      });
      assert.deepEqual(requests, [ref, "/repositories/42", "/repositories/42/git/ref/heads/main"]);
    });

    it("compares by the number too", async () => {
      const next = place.commit("two");
      place.push();
      const compare = `/compare/${main}...${next}`;
      answers[`/repos/octocat/site${compare}`] = {
        status: 301,
        headers: { location: `${api}/repositories/42${compare}` },
      };
      assert.equal(await place.leadsOn(main, next), "yes");
    });

    it("follows once", async () => {
      answers["/repositories/42/git/ref/heads/main"] = answers[ref];
      assert.equal((await place.remote())["kind"], "moved");
      assert.equal(requests.length, 3);
    });

    for (const [what, location] of Object.entries({
      "another server": "https://evil.example/repositories/42/git/ref/heads/main",
      "another server behind a name like ours": "API.evil.example/repositories/42",
      "no number": "API/repositories/../repos/evil/site/git/ref/heads/main",
      "another name": "API/repos/evil/site/git/ref/heads/main",
      nothing: "",
    })) {
      it(`does not follow to ${what}, and takes the token nowhere`, async () => {
        answers[ref] = { status: 301, headers: { location: location.replace("API", api) } };
        const answer = await place.remote();
        assert.deepEqual([answer["state"], answer["kind"], answer["fault"]], ["failing", "moved", "server"]);
        assert.equal(requests.length, 1);
      });
    }

    it("does not print a name that is none", async () => {
      answers["/repositories/42"] = { status: 200, body: { full_name: "a/b\u001b[2J$(id)" } };
      assert.equal((await place.remote())["moved"], "number 42");
    });
  });

  describe("asking whether the branch leads on", () => {
    let next: string;
    let compare: string;
    beforeEach(() => {
      next = place.commit("two");
      place.push();
      compare = `/repos/octocat/site/compare/${main}...${next}`;
    });

    it("says yes and no", async () => {
      assert.equal(await place.leadsOn(main, next), "yes");
      assert.equal(await place.leadsOn(next, main), "no");
      place.git("reset", "--quiet", "--hard", main);
      const forced = place.commit("forced");
      place.push();
      assert.equal(await place.leadsOn(next, forced), "no");
      assert.equal(await place.leadsOn("1".repeat(40), forced), "no", "a revision that is gone");
    });

    it("says no where they have nothing in common", async () => {
      answers[compare] = { status: 404, body: { message: `No common ancestor between ${main} and ${next}.` } };
      assert.equal(await place.leadsOn(main, next), "no");
    });

    it("does not take another comparison for this one, nor one that contradicts itself", async () => {
      for (const body of [
        { status: "ahead", merge_base_commit: { sha: "1".repeat(40) } },
        { status: "ahead" },
        { status: "identical", merge_base_commit: null },
        { status: "diverged", merge_base_commit: { sha: main } },
      ]) {
        answers[compare] = { status: 200, body };
        assert.equal(await place.leadsOn(main, next), "server", JSON.stringify(body));
      }
    });

    for (const [kind, answer] of Object.entries<Answer>({
      server: { status: 502, body: "<html>Bad Gateway</html>" },
      token: { status: 403, body: { message: "Resource not accessible by personal access token" } },
      "rate-limit": { status: 429, headers: { "retry-after": "30" }, body: {} },
      sso: { status: 403, headers: { "x-github-sso": "required; url=https://github.com/orgs/acme/sso" }, body: {} },
      moved: { status: 301, body: {} },
    })) {
      // Fault 64
      it(`does not call it a rewritten branch: ${answer.status} (${kind})`, async () => {
        answers[compare] = answer;
        assert.equal(await place.leadsOn(main, next), kind);
      });
    }

    it("does not call it a rewritten branch: an answer that is no comparison", async () => {
      for (const body of ["<html>portal</html>", "", "null", "[]", '{"status":1}']) {
        answers[compare] = { status: 200, body };
        assert.equal(await place.leadsOn(main, next), "server", body);
      }
    });

    it("does not call it a rewritten branch: 404, when the token has lost its access", async () => {
      answers["*"] = { status: 404, body: { message: "Not Found" } };
      assert.equal(await place.leadsOn(main, next), "not-found");
    });

    it("does not call it a rewritten branch: no answer", async () => {
      await server.stop();
      assert.equal(await place.leadsOn(main, next), "unreachable");
    });
  });

  describe("asking for a signature", () => {
    let keys: Record<"mine" | "other", string>;
    let signers: string;
    beforeEach(() => {
      const make = (name: string) => {
        const file = path.join(place.root, name);
        execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", file]);
        return file;
      };
      keys = { mine: make("mine"), other: make("other") };
      signers = path.join(place.root, "signers");
      fs.writeFileSync(signers, `signer namespaces="git" ${fs.readFileSync(`${keys.mine}.pub`, "utf8")}`);
      place.settings["UPGRADE_ALLOWED_SIGNERS"] = signers;
    });

    const signedBy = (key: string, name: string) => {
      place.git("config", "gpg.format", "ssh");
      place.git("config", "user.signingKey", key);
      const revision = place.commit(name, "--gpg-sign");
      place.push();
      return revision;
    };

    // GitHub's "verified" is true in all of them, and counts nowhere.
    it("takes a commit that is signed by a key of the list", async () => {
      assert.equal(await place.signed(signedBy(keys.mine, "sïgned\n\nwith a text\n\nof paragraphs")), "yes");
    });

    it("takes none that is not signed, or by another key", async () => {
      assert.equal(await place.signed(main), "no");
      assert.equal(await place.signed(signedBy(keys.other, "other")), "no");
    });

    it("takes no signature of another commit", async () => {
      const good = signedBy(keys.mine, "good");
      const { verification } = truth(`/repositories/42/git/commits/${good}`).body as { verification: unknown };
      const evil = place.commit("evil", "--no-gpg-sign");
      place.push();
      answers[`/repos/octocat/site/git/commits/${evil}`] = { status: 200, body: { sha: evil, verification } };
      assert.equal(await place.signed(evil), "no");
    });

    it("is not told no by a server's trouble", async () => {
      const good = signedBy(keys.mine, "good");
      answers["*"] = { status: 502 };
      assert.equal(await place.signed(good), "server");
    });
  });
});
