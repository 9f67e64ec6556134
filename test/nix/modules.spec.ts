// The modules of nix/, evaluated by a real Nix with a stand-in of nixpkgs' module system: their options and what they ask
// of NixOS. It cannot prove that NixOS has what they set.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { ownerName } from "../../components/values/repositoryNames";
import { requireOrSkip } from "../require";
import { configured, evaluateModules, flakeFolder, nixMissing } from "../../cli/rehearse/upgrade/evaluate";

const token = {
  pulumiNixos: {
    enable: true,
    repository: { owner: "octocat", name: "site", access: "token" },
    upgrade: { tokenFile: "/run/secrets/x" },
  },
};
const upgrade = (settings: object) => ({
  pulumiNixos: { ...configured.pulumiNixos, upgrade: settings },
});

describe("NixOS modules", () => {
  before(function () {
    requireOrSkip(this, "nix", nixMissing() === undefined, nixMissing() ?? "");
  });

  const flake = fs.readFileSync(path.join(flakeFolder, "flake.nix"), "utf8");
  const names = [...new Set([...flake.matchAll(/ \.\/(modules\b[\w./]*)/g)].map(([, name = ""]) => name))];
  assert.equal(names.length, 7, names.join());
  for (const name of names) {
    it(`${name} works alone`, () => {
      assert.deepEqual(evaluateModules("builtins.deepSeq e.config.pulumiNixos e.failed", {}, [name]), []);
    });
  }

  it("describe every option", () => {
    const undescribed = evaluateModules(`
      let walk = path: options: builtins.concatMap (name:
            let option = options.\${name}; here = path ++ [ name ]; in
            if option._type or null == "option"
            then (if builtins.stringLength (option.description or "") > 20 then [ ] else [ (builtins.concatStringsSep "." here) ])
            else walk here option) (builtins.attrNames options);
      in walk [ ] e.options`);
    assert.deepEqual(undescribed, []);
  });

  it("refuse values of the wrong type, naming the option", () => {
    const wrong = { pulumiNixos: { repository: { owner: "octo cat" } } };
    assert.throws(
      () => evaluateModules("e.config.pulumiNixos.repository.owner", wrong),
      /repository\.owner is not of type/,
    );
    const unknown = { pulumiNixos: { repository: { owners: "octocat" } } };
    assert.throws(() => evaluateModules("e.config.warnings", unknown), /no option pulumiNixos\.repository\.owners/);
  });

  it("take the owners that the program takes, and no others", () => {
    const owner = (name: string) => ({ pulumiNixos: { repository: { owner: name } } });
    const read = (name: string) => evaluateModules("e.config.pulumiNixos.repository.owner", owner(name));
    for (const name of ["octo-org", "octocat_acme"]) {
      assert.equal(read(name), name);
      assert.deepEqual(ownerName("owner", name), []);
    }
    for (const name of ["oc_to", "octo-_acme", "octo_acme_x"]) {
      assert.throws(() => read(name), /repository\.owner is not of type/, name);
      assert.equal(ownerName("owner", name).length, 1);
    }
  });

  describe("upgrade", () => {
    it("takes a system whose name has dots", () => {
      const settings = "e.config.pulumiNixos.upgrade.settings.UPGRADE_ATTRIBUTE";
      assert.equal(evaluateModules(settings, upgrade({ attribute: "web.example.com" })), "web.example.com");
    });

    it("is off with a warning while the repository has no owner, and the page is still written", () => {
      assert.deepEqual(evaluateModules("e.config.systemd.services ? nixos-upgrade", {}), false);
      assert.match(JSON.stringify(evaluateModules("e.config.warnings", {})), /no owner yet.*npm run setup/);
      assert.deepEqual(evaluateModules("e.config.systemd.services ? nixos-upgrade-status", {}), true);
      assert.deepEqual(evaluateModules(`e.config.environment.etc ? "nixos-upgrade/off"`, {}), false);
    });

    it("refuses to be on without a repository", () => {
      const failed = evaluateModules("e.failed", { pulumiNixos: { upgrade: { enable: true } } });
      assert.match(JSON.stringify(failed), /repository\.owner is empty.*npm run setup/);
    });

    it("shows where a deployment and the system before find its checks", () => {
      const names = `builtins.filter (name: e.config.environment.etc ? \${"nixos-upgrade/" + name}) [ "health" "remote" ]`;
      assert.deepEqual(evaluateModules(names, upgrade({})), ["health", "remote"]);
      assert.deepEqual(evaluateModules(names, upgrade({ enable: false })), []);
    });

    it("says so in the system where it is switched off on purpose", () => {
      assert.deepEqual(
        evaluateModules(`e.config.environment.etc ? "nixos-upgrade/off"`, upgrade({ enable: false })),
        true,
      );
      assert.deepEqual(
        evaluateModules("(e.config.systemd.timers or { }) ? nixos-upgrade", upgrade({ enable: false })),
        false,
      );
    });

    it("reads with the machine's key by default", () => {
      const settings = evaluateModules("e.config.pulumiNixos.upgrade.settings") as Record<string, string>;
      assert.equal(settings["UPGRADE_REMOTE"], "ssh://git@github.com/octocat/site");
      assert.equal(settings["UPGRADE_FLAKE"], "git+ssh://git@github.com/octocat/site?ref=main&rev=REVISION&dir=nix");
      assert.equal(evaluateModules("e.config.nix ? extraOptions"), false);
      assert.equal(evaluateModules("e.config.systemd.services ? nixos-upgrade-token"), false);
    });

    it("reads with a token where it is told to, which Nix may miss without failing", () => {
      const settings = evaluateModules("e.config.pulumiNixos.upgrade.settings", token) as Record<string, string>;
      assert.equal(settings["UPGRADE_REMOTE"], "https://api.github.com/repos/octocat/site");
      assert.equal(settings["UPGRADE_FLAKE"], "github:octocat/site/REVISION?dir=nix");
      assert.equal(evaluateModules("e.config.nix.extraOptions", token), `!include ${settings["UPGRADE_TOKEN_CONFIG"]}`);
    });

    it("warns where a token is wanted and none is there", () => {
      const missing = { pulumiNixos: { repository: { owner: "octocat", access: "token" } } };
      assert.match(JSON.stringify(evaluateModules("e.config.warnings", missing)), /npm run secrets token/);
    });

    it("takes the token from the encrypted file where there is one", () => {
      const withFile = {
        pulumiNixos: {
          repository: { owner: "octocat", access: "token" },
          secrets: { file: "/nowhere/secrets.yaml" },
        },
      };
      assert.equal(
        evaluateModules("e.config.pulumiNixos.upgrade.tokenFile", withFile),
        "/run/secrets/github-access-token",
      );
      assert.deepEqual(evaluateModules("e.config.sops.secrets.github-access-token.restartUnits", withFile), [
        "nixos-upgrade-token.service",
      ]);
    });

    it("runs every minute by default; interval and jitter are options", () => {
      const timer = (configuration?: object) =>
        evaluateModules("e.config.systemd.timers.nixos-upgrade.timerConfig", configuration) as Record<string, string>;
      assert.equal(timer()["OnCalendar"], "minutely");
      const changed = timer(upgrade({ dates: "hourly", randomizedDelaySec: "10min" }));
      assert.deepEqual([changed["OnCalendar"], changed["RandomizedDelaySec"]], ["hourly", "10min"]);
    });

    it("asks no cache but NixOS's own by default, and refuses one without a key", () => {
      assert.deepEqual(evaluateModules("e.config.nix.settings.extra-substituters"), []);
      assert.match(
        JSON.stringify(evaluateModules("e.failed", upgrade({ substituters: ["https://cache.example.org"] }))),
        /without trustedPublicKeys/,
      );
    });

    it("calls the user's command only where there is one", () => {
      const unit = "e.config.systemd.services.nixos-upgrade-freshness.onFailure";
      assert.deepEqual(evaluateModules(unit), []);
      assert.deepEqual(evaluateModules(unit, upgrade({ freshness: { onFailure: "echo" } })), [
        "nixos-upgrade-alert.service",
      ]);
    });

    it("outlives the switch that it makes, and is bounded in memory", () => {
      const unit = evaluateModules("e.config.systemd.services.nixos-upgrade") as {
        restartIfChanged: boolean;
        unitConfig: Record<string, unknown>;
        serviceConfig: Record<string, unknown>;
      };
      assert.equal(unit.restartIfChanged, false);
      assert.equal(unit.unitConfig["X-StopOnRemoval"], false);
      assert.equal(unit.unitConfig["StartLimitIntervalSec"], 0);
      assert.equal(unit.serviceConfig["MemoryMax"], "80%");
      assert.equal(unit.serviceConfig["OOMPolicy"], "continue");
    });

    it("says that deployments may be locked out only where that is meant", () => {
      const says = (allowLockout: boolean) =>
        evaluateModules('e.config.environment.etc ? "nixos-upgrade/allow-lockout"', {
          pulumiNixos: { ...configured.pulumiNixos, upgrade: { allowLockout } },
        });
      assert.deepEqual([says(false), says(true)], [false, true]);
    });

    it("checks the web server after a switch only where there is one", () => {
      const health = (web: boolean) =>
        evaluateModules("e.config.pulumiNixos.upgrade.health", {
          pulumiNixos: { ...configured.pulumiNixos, web: { enable: web } },
        });
      assert.deepEqual(health(true), {
        seconds: 60,
        sshPort: 22,
        units: ["nginx.service"],
        url: "http://127.0.0.1/status.json",
      });
      assert.deepEqual(health(false), { seconds: 60, sshPort: 22, units: [], url: null });
    });
  });

  it("smallMachine keeps generations by number, whatever their age", () => {
    assert.equal(evaluateModules("e.config.nix.gc.options"), "");
    const kept = (smallMachine: object) =>
      /--delete-generations (\S+)\n/.exec(
        String(evaluateModules("e.config.systemd.services.nix-gc.preStart", { pulumiNixos: { smallMachine } })),
      )?.[1];
    assert.deepEqual([kept({}), kept({ keepGenerations: 12 })], ["+5", "+12"]);
  });

  it("secrets leave sops-nix out where there is no encrypted file", () => {
    assert.equal(evaluateModules("e.config.sops ? defaultSopsFile"), false);
  });

  it("load the rules of the metadata service again when nftables is reloaded, which may clear them", () => {
    const unit = "e.config.systemd.services.instance-metadata-for-root-only";
    assert.deepEqual(evaluateModules(`${unit}.unitConfig.ReloadPropagatedFrom`), "nftables.service");
    assert.deepEqual(evaluateModules(`${unit}.serviceConfig.ExecReload == ${unit}.serviceConfig.ExecStart`), true);
  });

  it("let the user of Session Manager use sudo, where there is that user", () => {
    const groups = (enable: boolean) =>
      evaluateModules("(e.config.users.users or { }).ssm-user.extraGroups or [ ]", {
        ...configured,
        services: { "amazon-ssm-agent": { enable } },
      });
    assert.deepEqual([groups(true), groups(false)], [["wheel"], []]);
  });
});
