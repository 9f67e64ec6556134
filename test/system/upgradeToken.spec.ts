// The machine reading its repository with a token: the real programs and a real Nix against a false GitHub over TLS that
// has GitHub's names. What it cannot prove: that GitHub's answers are still those that it gives here.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { assertSystem, canRunMachine } from "../../cli/rehearse/machine";
import { requireOrSkip } from "../require";
import { startUpgradeBench, type UpgradeBench } from "../../cli/rehearse/upgrade/bench";
import { giveToken, startFalseGithub, tokenConfiguration, type FalseGithub } from "../../cli/rehearse/upgrade/github";

const poll = "GET /repos/octocat/site/git/ref/heads/main";

describe("upgrade with a token", () => {
  const token = `github_pat_${randomBytes(20).toString("hex")}`;
  let folder: string;
  let bench: UpgradeBench;
  let github: FalseGithub;
  let good: string;

  before(async function () {
    const reason = canRunMachine();
    requireOrSkip(this, "systemd", reason === undefined, reason ?? "");
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "github-"));
    bench = await startUpgradeBench(tokenConfiguration);
    github = await startFalseGithub(bench, folder);
  });

  after(async () => {
    await github?.close();
    await bench?.stop();
    if (folder) fs.rmSync(folder, { recursive: true, force: true });
  });

  beforeEach(() => github.answer("true"));

  const accessTokens = async () => (await bench.machine.output("nix config show access-tokens")).trim();

  it("says that there is no token", async () => {
    assert.equal(await bench.poll(), false);
    assert.equal((await bench.status()).lastError?.kind, "no-token");
    assert.deepEqual(github.requests(), []);
  });

  describe("the secret", () => {
    const refused: Record<string, string> = {
      "is empty": "",
      "is a word": "secret",
      "has a newline that would set a hook": `${token}\npost-build-hook = /bin/evil`,
      "has a newline before it": `\n${token}`,
      "has a space behind it": `${token} `,
      "has a carriage return": `${token}\r\n`,
      "has a NUL": `${token}\0`,
      "names another host": `extra-access-tokens = gitlab.com=${token}`,
      "sets something else": `access-tokens = github.com=${token}`,
      "holds two tokens": `extra-access-tokens = github.com=${token} gitlab.com=x`,
      "is of another forge": "glpat-AAAAAAAAAAAAAAAAAAAA",
    };
    for (const [what, secret] of Object.entries(refused)) {
      // Fault 28
      it(`that ${what} is refused, and Nix goes on working`, async () => {
        assert.equal(await giveToken(bench, token), true);
        assert.equal(await giveToken(bench, secret), false);
        assert.equal(await accessTokens(), "");
        assert.equal(await bench.machine.output("nix config show post-build-hook"), "");
        assert.match(await bench.journal("nixos-upgrade-token.service"), /npm run secrets token/);
      });
    }

    for (const [what, secret] of Object.entries({
      bare: token,
      "bare with a newline": `${token}\n`,
      "as a line of nix.conf": `extra-access-tokens = github.com=${token}\n`,
      "as a classic token": `ghp_${"a1B2".repeat(9)}`,
    })) {
      it(`${what} is accepted, for root alone`, async () => {
        assert.equal(await giveToken(bench, secret), true);
        assert.equal(await accessTokens(), `github.com=${secret.trim().replace(/.*=/, "")}`);
        const file = "/run/nixos-upgrade/access-token.conf";
        assert.equal(await bench.machine.output(`stat -c '%a %U' ${file}`), "400 root");
        // Another user's Nix does not see the token, and does not fail for it.
        const other = await bench.machine.run(
          // The Nix of the bench lies below the home of root.
          `chmod 711 /root; install -d -o 65534 /tmp/other
           setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=/tmp/other nix config show access-tokens`,
        );
        assert.equal(other.stderr.replace(/.*PS1.*\n/, ""), "");
        assert.deepEqual([other.code, other.stdout.trim()], [0, ""]);
      });
    }
  });

  describe("GitHub", () => {
    before(async () => {
      assert.equal(await giveToken(bench, token), true);
      github.answer("true");
    });

    /** The poll failed for this reason, and the machine is as it was. */
    async function assertFailing(kind: string): Promise<void> {
      const system = await bench.current();
      assert.equal(await bench.poll(), false);
      const status = await bench.status();
      assert.deepEqual([status.state, status.lastError?.kind, status.revision], ["failing", kind, good]);
      await assertSystem(bench.machine, system);
    }

    it("has an empty repository: waits for the first push", async () => {
      assert.equal(await bench.poll(), true);
      assert.equal((await bench.status()).state, "waiting");
    });

    it("has a revision: it is installed with the token, which no argument shows", async () => {
      good = await bench.push();
      github.requests();
      await bench.calls();
      assert.equal(await bench.poll(), true);
      assert.equal((await bench.status()).revision, good);
      const requests = github.requests();
      assert.equal(requests[0], poll);
      assert.ok(requests.includes(`GET /repos/octocat/site/tarball/${good}`), requests.join("\n"));
      assert.deepEqual([...github.tokens], [token]);
      assert.doesNotMatch((await bench.calls()).join("\n"), new RegExp(token));
      assert.doesNotMatch(await bench.journal(), new RegExp(token));
    });

    it("is asked once while nothing changes", async () => {
      github.requests();
      assert.equal(await bench.poll(), true);
      assert.deepEqual(github.requests(), [poll]);
    });

    // Fault 27
    it("says 401: Nix alone reports success with the old revision, the upgrade fails", async () => {
      const nix = `NIX_SSL_CERT_FILE=/etc/upgrade/ca.pem nix flake metadata --refresh --json \\
        'github:octocat/site/main?dir=nix' | jq -r .revision`;
      assert.equal(await bench.machine.output(nix), good);
      await bench.push();
      github.answer({ status: 401, body: '{"message":"Bad credentials"}' });
      const silent = await bench.machine.run(nix);
      assert.deepEqual([silent.code, silent.stdout.trim()], [0, good]);
      await assertFailing("token");
      assert.match(await bench.journal(), /it has expired or was revoked/);
      github.answer("true");
      assert.equal(await bench.poll(), true);
      good = (await bench.status()).revision ?? "";
    });

    for (const [status, kind] of [
      [404, "not-found"],
      [403, "token"],
      [500, "server"],
      [502, "server"],
    ] as const) {
      it(`says ${status}`, async () => {
        github.answer({ status });
        await assertFailing(kind);
      });
    }

    it("says nothing", async () => {
      await bench.set({ UPGRADE_REQUEST_SECONDS: "3" });
      github.answer("hang");
      await assertFailing("timeout");
      await bench.set({ UPGRADE_REQUEST_SECONDS: "30" });
    });

    // Fault 20
    it("answers with something that is no revision", async () => {
      github.answer({ status: 200, body: "<html>a portal</html>" });
      await assertFailing("error");
    });

    // Fault 60
    it("asks for fewer requests, with no header that says so: it is left alone for a minute", async () => {
      const body = JSON.stringify({ message: "You have exceeded a secondary rate limit. Please wait a few minutes." });
      github.answer({ status: 403, headers: { "x-ratelimit-remaining": "4801" }, body });
      await assertFailing("rate-limit");
      assert.match(await bench.journal(), /You have exceeded a secondary rate limit/);
      github.requests();
      assert.equal(await bench.poll(), false);
      assert.deepEqual(github.requests(), []);
      await bench.machine.output(
        "f=/var/lib/nixos-upgrade/state.json; jq '.notBefore = null' $f >/tmp/state && cp /tmp/state $f",
      );
    });

    it("is a stranger with another certificate", async () => {
      await bench.set({ CURL_CA_BUNDLE: "/etc/ssl/certs/ca-certificates.crt" });
      await assertFailing("tls");
      await bench.set({ CURL_CA_BUNDLE: "/etc/upgrade/ca.pem" });
    });

    // Fault 19
    it("has had enough: it is not asked again before the time that it names", async () => {
      const reset = Math.floor(Date.now() / 1000) + 600;
      github.answer({ status: 403, headers: { "x-ratelimit-remaining": "0", "x-ratelimit-reset": String(reset) } });
      await assertFailing("rate-limit");
      assert.equal(Date.parse((await bench.status()).nextTry ?? ""), reset * 1000);
      github.requests();
      assert.equal(await bench.poll(), false);
      assert.deepEqual(github.requests(), []);

      await bench.machine.output(
        "f=/var/lib/nixos-upgrade/state.json; jq '.notBefore = now - 1' $f >/tmp/state && cp /tmp/state $f",
      );
      github.answer("true");
      assert.equal(await bench.poll(), true);
      assert.equal((await bench.status()).state, "current");
    });

    it("names a time beyond an hour: an hour is enough", async () => {
      github.answer({ status: 429, headers: { "retry-after": "86400" } });
      await assertFailing("rate-limit");
      const next = Date.parse((await bench.status()).nextTry ?? "") - Date.now();
      assert.ok(next > 3_500_000 && next <= 3_600_000, String(next));
      await bench.machine.output(
        "f=/var/lib/nixos-upgrade/state.json; jq '.notBefore = null' $f >/tmp/state && cp /tmp/state $f",
      );
    });

    it("tells of a rewritten branch", async () => {
      const first = await bench.machine.output("git -C /srv/work rev-list --max-parents=0 HEAD");
      const newest = await bench.machine.output("git -C /srv/work rev-parse HEAD");
      await bench.push({ onto: first });
      await assertFailing("rewritten");
      good = await bench.push({ onto: newest });
      assert.equal(await bench.poll(), true);
    });

    // The system before reads with whatever the new one left behind, and so it cannot read either.
    for (const [what, secret] of Object.entries({
      "a secret that is no token": "secret",
      "a token that GitHub refuses": `github_pat_${randomBytes(20).toString("hex")}`,
    })) {
      // Fault 111
      it(`${what} comes with a new system: the last good one is put back`, async () => {
        github.revoked = secret;
        const system = await bench.current();
        await bench.push({
          health: `#!/bin/sh\nprintf %s ${secret} >/run/secrets/github-access-token\nexec nixos-upgrade-health\n`,
        });
        assert.equal(await bench.poll(), false);
        // The bench's systems have no secrets of their own that would come back with them.
        assert.equal(await giveToken(bench, token), true);
        const status = await bench.status();
        assert.deepEqual([status.lastError?.kind, status.revision], ["health", good]);
        assert.match(await bench.journal(), /not healthy: the repository cannot be read/);
        await assertSystem(bench.machine, system);
        good = await bench.push();
        assert.equal(await bench.poll(), true);
      });
    }

    it("tells when the token ends: the page shows it, and the probe fails a week before", async () => {
      const in30Days = new Date(Math.floor(Date.now() / 1000) * 1000 + 30 * 86_400_000);
      const header = (date: Date) => date.toISOString().replace("T", " ").replace(/\..*/, " UTC");
      github.headers = { "github-authentication-token-expiration": header(in30Days) };
      assert.equal(await bench.poll(), true);
      assert.equal(Date.parse((await bench.status()).tokenExpires ?? ""), in30Days.getTime());
      assert.equal(await bench.poll("nixos-upgrade-freshness.service"), true);

      const in3Days = new Date(Date.now() + 3 * 86_400_000);
      github.headers = { "github-authentication-token-expiration": header(in3Days) };
      assert.equal(await bench.poll("nixos-upgrade-freshness.service"), false);
      const status = await bench.status();
      assert.deepEqual([status.state, status.healthy], ["stale", false]);
      assert.match(status.summary, /loses its access to the repository soon/);
      assert.match(await bench.journal("nixos-upgrade-freshness.service"), /npm run secrets token/);
    });
  });
});
