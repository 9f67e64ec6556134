import assert from "node:assert/strict";
import * as sshpk from "sshpk";
import { ProviderClient } from "../../cli/rehearse/client";
import { Github, githubProvider } from "../../cli/rehearse/emulators/github";
import type { GithubOptions } from "../../cli/rehearse/emulators/github/service";
import type { Properties } from "../../cli/rehearse/emulators/values";

// What these tests cannot prove: that GitHub refuses the same things in the same words. The refusals follow its
// documentation and the sources of the real provider.

const REPOSITORY = "github:index/repository:Repository";
const PROTECTION = "github:index/branchProtection:BranchProtection";
const RULESET = "github:index/repositoryRuleset:RepositoryRuleset";
const DEPLOY_KEY = "github:index/repositoryDeployKey:RepositoryDeployKey";
const GET_REPOSITORY = "github:index/getRepository:getRepository";

const publicKey = () => sshpk.generatePrivateKey("ed25519").toPublic().toString("ssh");

describe("emulated github provider", () => {
  const clients: ProviderClient[] = [];
  const account = async (options: GithubOptions = {}) => {
    const github = new Github({ owner: "example", ...options });
    const client = await ProviderClient.of(githubProvider(github));
    clients.push(client);
    return { github, client };
  };
  afterEach(() => clients.splice(0).forEach((client) => client.stop()));

  const ruleset = (more: Properties = {}) => ({
    repository: "site",
    name: "main",
    target: "branch",
    enforcement: "active",
    conditions: { refName: { includes: ["refs/heads/main"], excludes: [] } },
    rules: { deletion: true },
    ...more,
  });

  describe("repository", () => {
    it("is public and has a random suffix unless told otherwise, like the real one", async () => {
      const { client } = await account();
      const { id, state } = await client.create(REPOSITORY, {});
      assert.match(id, /^it-[0-9a-f]{7}$/);
      assert.equal(state["visibility"], "public");
    });

    it("tells its addresses under the configured owner", async () => {
      const { client } = await account();
      await client.configure({ owner: "someone" });
      const { state } = await client.create(REPOSITORY, { name: "site", visibility: "private" });
      assert.equal(state["fullName"], "someone/site");
      assert.equal(state["sshCloneUrl"], "git@github.com:someone/site.git");
      assert.equal(state["htmlUrl"], "https://github.com/someone/site");
    });

    it("is refused for an illegal or taken name, in any case of letters, and for another visibility", async () => {
      const { client } = await account();
      await client.create(REPOSITORY, { name: "site" });
      await assert.rejects(client.create(REPOSITORY, { name: "Site" }), /422 .*name already exists on this account/);
      await assert.rejects(client.create(REPOSITORY, { name: "my site" }), /must include only alphanumeric/);
      await assert.rejects(
        client.create(REPOSITORY, { name: "x", visibility: "secret" }),
        /expected visibility to be one of/,
      );
    });

    it("is renamed in place, but not to a taken name", async () => {
      const { client } = await account();
      const site = await client.create(REPOSITORY, { name: "site" });
      await client.create(REPOSITORY, { name: "other" });
      assert.deepEqual((await client.diff(REPOSITORY, site, { ...site.inputs, name: "new" })).replaces, []);
      await assert.rejects(client.update(REPOSITORY, site, { name: "other" }), /name already exists/);
      assert.equal((await client.update(REPOSITORY, site, { name: "new" })).state["fullName"], "example/new");
    });

    it("is archived instead of deleted when it is to be, and then takes no changes", async () => {
      const { client, github } = await account();
      const site = await client.create(REPOSITORY, { name: "site", archiveOnDestroy: true });
      await client.delete(REPOSITORY, site);
      assert.equal(github.repository("site")?.archived, true);
      const key = { repository: "site", title: "k", key: publicKey() };
      await assert.rejects(client.create(DEPLOY_KEY, key), /403 Repository was archived so is read-only/);
      await assert.rejects(client.update(REPOSITORY, site, { name: "site" }), /read-only/);
      const other = await client.create(REPOSITORY, { name: "other" });
      await client.delete(REPOSITORY, other);
      assert.equal(github.repository("other"), undefined);
    });

    it("is found by name or full name; a missing one gives no error and no id, like the real lookup", async () => {
      const { client, github } = await account();
      const { nodeId } = github.addRepository("site", { visibility: "private" });
      assert.equal((await client.invoke(GET_REPOSITORY, { fullName: "example/site" }))["nodeId"], nodeId);
      assert.equal((await client.invoke(GET_REPOSITORY, { name: "site" }))["private"], true);
      assert.equal((await client.invoke(GET_REPOSITORY, { fullName: "other/site" }))["id"], "");
      await assert.rejects(client.invoke(GET_REPOSITORY, {}), /one of "fullName" or "name"/);
    });
  });

  describe("branch protection", () => {
    it("is refused for a missing repository", async () => {
      const { client } = await account();
      const missing = client.create(PROTECTION, { repositoryId: "R_none", pattern: "main" });
      await assert.rejects(missing, /404 Could not resolve to a Repository/);
    });

    it("is refused for a pattern that is protected", async () => {
      const { client } = await account();
      const { state } = await client.create(REPOSITORY, { name: "site" });
      await client.create(PROTECTION, { repositoryId: state["nodeId"], pattern: "main" });
      const again = client.create(PROTECTION, { repositoryId: "site", pattern: "main" });
      await assert.rejects(again, /Name already protected: main/);
    });

    it("is refused for private repositories of free accounts, not for public ones", async () => {
      const { client } = await account({ plan: "free" });
      await client.create(REPOSITORY, { name: "closed", visibility: "private" });
      await client.create(REPOSITORY, { name: "open", visibility: "public" });
      const closed = client.create(PROTECTION, { repositoryId: "closed", pattern: "main" });
      await assert.rejects(closed, /403 Upgrade to GitHub Pro or make this repository public/);
      await client.create(PROTECTION, { repositoryId: "open", pattern: "main" });
      await assert.rejects(client.create(RULESET, ruleset({ repository: "closed" })), /Upgrade to GitHub Pro/);
    });

    it("is refused for more than six reviews and for unknown parts", async () => {
      const { client } = await account();
      const check = async (inputs: Properties) => {
        const { failures } = await client.check(PROTECTION, { repositoryId: "R", pattern: "main", ...inputs });
        return failures.map(({ reason }) => reason).join();
      };
      assert.match(
        await check({ requiredPullRequestReviews: [{ requiredApprovingReviewCount: 7 }] }),
        /range \(0 - 6\), got 7/,
      );
      assert.match(await check({ requiredStatusChecks: [{ context: ["a"] }] }), /no property "context"/);
      assert.equal(await check({ requiredStatusChecks: [{ contexts: ["a"], strict: true }] }), "");
    });

    it("moves to another repository by replacement, to another pattern in place", async () => {
      const { client } = await account();
      const { state } = await client.create(REPOSITORY, { name: "site" });
      const rule = await client.create(PROTECTION, { repositoryId: state["nodeId"], pattern: "main" });
      assert.deepEqual((await client.diff(PROTECTION, rule, { ...rule.inputs, repositoryId: "R" })).replaces, [
        "repositoryId",
      ]);
      assert.deepEqual((await client.diff(PROTECTION, rule, { ...rule.inputs, pattern: "trunk" })).replaces, []);
      await client.delete(PROTECTION, rule);
      assert.equal(await client.read(PROTECTION, rule), undefined);
    });

    it("is named by repository and pattern in an import", async () => {
      const { client } = await account();
      const { state } = await client.create(REPOSITORY, { name: "site" });
      await client.create(PROTECTION, { repositoryId: state["nodeId"], pattern: "main" });
      const imported = (id: string) => client.read(PROTECTION, { id, inputs: {}, state: {} });
      assert.equal((await imported("site:main"))?.["pattern"], "main");
      assert.equal(await imported("site:other"), undefined);
    });
  });

  describe("ruleset", () => {
    it("is refused for a missing repository, a taken name, and words that do not exist", async () => {
      const { client } = await account();
      await assert.rejects(client.create(RULESET, ruleset()), /404 Not Found/);
      await client.create(REPOSITORY, { name: "site" });
      await client.create(RULESET, ruleset());
      await assert.rejects(client.create(RULESET, ruleset()), /Name must be unique/);
      await assert.rejects(
        client.create(RULESET, ruleset({ name: "b", target: "main" })),
        /expected target to be one of/,
      );
      await assert.rejects(
        client.create(RULESET, ruleset({ name: "b", enforcement: "on" })),
        /expected enforcement to be one of/,
      );
      await assert.rejects(client.create(RULESET, ruleset({ name: "b", conditions: {} })), /refName is required/);
    });
  });

  describe("deploy key", () => {
    const key = (more: Properties = {}) => ({ repository: "site", title: "machine", key: publicKey(), ...more });

    it("is refused for a missing repository, wrong key material, and a key that is in use", async () => {
      const { client } = await account();
      await assert.rejects(client.create(DEPLOY_KEY, key()), /404 Not Found/);
      await client.create(REPOSITORY, { name: "site" });
      await client.create(REPOSITORY, { name: "other" });
      await assert.rejects(client.create(DEPLOY_KEY, key({ key: "ssh-ed25519 AAAA" })), /key is invalid/);
      const one = key();
      await client.create(DEPLOY_KEY, one);
      const again = client.create(DEPLOY_KEY, { ...one, repository: "other", key: `${one.key} comment\n` });
      await assert.rejects(again, /key is already in use/);
    });

    it("is refused where an organization forbids deploy keys", async () => {
      const { client } = await account({ deployKeysAllowed: false });
      await client.create(REPOSITORY, { name: "site" });
      await assert.rejects(client.create(DEPLOY_KEY, key()), /Deploy keys are disabled for this repository/);
    });

    it("is read-only unless told otherwise, and replaced for every change but a comment", async () => {
      const { client, github } = await account();
      await client.create(REPOSITORY, { name: "site" });
      const made = await client.create(DEPLOY_KEY, key());
      assert.equal([...github.repository("site")!.deployKeys.values()][0]!.readOnly, true);
      for (const change of [{ title: "t" }, { readOnly: false }, { repository: "r" }, { key: publicKey() }]) {
        const diff = await client.diff(DEPLOY_KEY, made, { ...made.inputs, ...change });
        assert.deepEqual(diff.replaces, Object.keys(change));
      }
      const commented = { ...made.inputs, key: `${made.inputs["key"] as string} me@example\n` };
      assert.equal((await client.diff(DEPLOY_KEY, made, commented)).changed, false);
    });
  });
});
