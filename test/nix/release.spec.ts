// What a machine is told of releases: the options, evaluated by a real Nix with a stand-in of nixpkgs' module system.
import assert from "node:assert/strict";
import { newKey } from "../../cli/rehearse/keys";
import { configured, evaluateModules, nixMissing } from "../../cli/rehearse/upgrade/evaluate";
import { requireOrSkip } from "../require";

describe("the release options", () => {
  const key = `${newKey().publicKeyOpenssh.trim()} release`;
  const store = "s3://builds?region=eu-west-1";
  const cache = { substituters: ["https://cache.example.org", store], trustedPublicKeys: ["builds-1:x"] };
  const upgrade = (settings: object) => ({ pulumiNixos: { ...configured.pulumiNixos, upgrade: settings } });
  const setting = (name: string, configuration: object) =>
    evaluateModules(`e.config.pulumiNixos.upgrade.settings.${name}`, configuration);
  const failed = (settings: object) => evaluateModules("e.failed", upgrade(settings)) as string[];

  before(function () {
    requireOrSkip(this, "nix", nixMissing() === undefined, nixMissing() ?? "");
  });

  it("leave a machine without keys as it was", () => {
    assert.equal(setting("UPGRADE_RELEASE_SIGNERS", configured), "");
    assert.equal(setting("UPGRADE_RELEASE_SIGNERS", upgrade(cache)), "");
    assert.equal(
      evaluateModules(`builtins.hasAttr "nixos-upgrade/released" e.config.environment.etc`, upgrade(cache)),
      false,
    );
  });

  it("name who may sign, and the cache in S3", () => {
    const configuration = upgrade({ ...cache, release: { keys: [key, key] } });
    assert.notEqual(setting("UPGRADE_RELEASE_SIGNERS", configuration), "");
    assert.equal(setting("UPGRADE_RELEASE_STORE", configuration), store);
    assert.equal(setting("UPGRADE_RELEASE_WAIT_SECONDS", configuration), "1200");
    assert.equal(setting("UPGRADE_RELEASE_REQUIRED", configuration), "false");
    assert.deepEqual(failed({ ...cache, release: { keys: [key] } }), []);
  });

  it("give deployments a program to ask only where its answer counts", () => {
    const has = (release: object) =>
      evaluateModules(
        `builtins.hasAttr "nixos-upgrade/released" e.config.environment.etc`,
        upgrade({ ...cache, release }),
      );
    assert.equal(has({ keys: [key] }), false);
    assert.equal(has({ keys: [key], required: true }), true);
  });

  it("refuse keys without a cache, and a requirement that nobody could fulfil", () => {
    assert.match(failed({ release: { keys: [key] } }).join(), /without a cache in S3/);
    assert.match(failed({ ...cache, release: { required: true } }).join(), /would never install anything/);
  });

  it("take nothing for a key that says more than a key", () => {
    const taken = (text: string) => {
      try {
        evaluateModules("e.config.pulumiNixos.upgrade.release.keys", upgrade({ release: { keys: [text] } }));
        return true;
      } catch (error) {
        assert.match(String(error), /release\.keys is not of type/);
        return false;
      }
    };
    const bare = key.replace(" release", "");
    for (const right of [key, bare]) assert.ok(taken(right), right);
    for (const wrong of [
      "",
      ` ${bare}`,
      `* ${bare}`,
      `${bare}\n* ${bare}`,
      `cert-authority ${bare}`,
      bare.slice(0, -1),
    ]) {
      assert.ok(!taken(wrong), wrong);
    }
  });
});
