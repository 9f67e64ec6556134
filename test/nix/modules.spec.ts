// The modules of nix/, evaluated by a real Nix with a stand-in of nixpkgs' module system: their options and what they ask
// of NixOS. It cannot prove that NixOS has what they set.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { ownerName } from "../../components/values/repositoryNames";
import { WAIT_MILLISECONDS } from "../../cli/rehearse/limits.cjs";
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
        checks: {},
        units: ["nginx.service"],
        url: "http://127.0.0.1/status.json",
      });
      assert.deepEqual(health(false), { seconds: 60, sshPort: 22, checks: {}, units: [], url: null });
    });

    describe("health.checks", () => {
      const checks = (named: object) => upgrade({ health: { checks: named } });

      it("become files of the system, and the program that runs them", () => {
        const configuration = checks({ "db.main_1": { command: "pg_isready" }, page: { url: "http://a/", body: "x" } });
        const files = evaluateModules(
          'builtins.filter (name: builtins.match "nixos-upgrade/checks.*" name != null) (builtins.attrNames e.config.environment.etc)',
          configuration,
        );
        const folder = "nixos-upgrade/checks.d";
        assert.deepEqual(files, ["nixos-upgrade/checks", `${folder}/db.main_1`, `${folder}/page`]);
        const file = (name: string) =>
          JSON.parse(
            String(evaluateModules(`e.config.environment.etc."${folder}/${name}".text`, configuration)),
          ) as object;
        const url = { url: null, status: 200, body: null, timeoutSeconds: 10 };
        assert.deepEqual(file("db.main_1"), { ...url, command: "/stub/health-check" });
        assert.deepEqual(file("page"), { ...url, command: null, url: "http://a/", body: "x" });
        assert.equal(evaluateModules('e.config.environment.etc ? "nixos-upgrade/checks"'), false);
      });

      const refused: [string, object, RegExp][] = [
        ["a name with a slash", { "a/b": { command: "x" } }, /checks\."a\/b".*letters, digits, dots/],
        ["a name that begins with a hyphen", { "-a": { command: "x" } }, /checks\."-a".*begins with a letter/],
        ["a name with a space", { "a b": { command: "x" } }, /checks\."a b"/],
        ["an empty name", { "": { command: "x" } }, /checks\.""/],
        ["a name that is too long", { ["a".repeat(64)]: { command: "x" } }, /checks\."a{64}"/],
        ["the name of all", { all: { command: "x" } }, /is not "all"/],
        ["neither command nor URL", { a: {} }, /needs either `command` or `url`: neither is set/],
        ["both", { a: { command: "x", url: "http://a/" } }, /both are set/],
        ["a body of a command", { a: { command: "x", body: "y" } }, /`status` and `body` are of a check with `url`/],
        ["a status of a command", { a: { command: "x", status: 204 } }, /a command says by its exit code/],
      ];
      for (const [what, named, message] of refused) {
        it(`refuse ${what}`, () => {
          const failed = evaluateModules("e.failed", checks(named)) as string[];
          assert.equal(failed.length, 1);
          assert.match(failed[0]!, message);
        });
      }

      const wrong: [object, RegExp][] = [
        [{ url: "ftp://a/" }, /checks\.a\.url is not of type/],
        [{ url: "http://a b/" }, /checks\.a\.url is not of type/],
        [{ url: "http://a/", status: 99 }, /status is not of type .*between 100 and 599/],
        [{ url: "http://a/", body: "two\nlines" }, /checks\.a\.body is not of type/],
        [{ command: "x", timeoutSeconds: 0 }, /timeoutSeconds is not of type/],
        [{ command: "x", timeoutSeconds: 21 }, /timeoutSeconds is not of type .*between 1 and 20/],
        [{ command: "x", limit: 3 }, /no option .*checks\.a\.limit/],
      ];
      for (const [check, message] of wrong) {
        it(`refuse ${JSON.stringify(check)}`, () => {
          assert.throws(
            () =>
              evaluateModules(
                "e.failed ++ [ (builtins.toJSON e.config.pulumiNixos.upgrade.health) ]",
                checks({ a: check }),
              ),
            message,
          );
        });
      }
    });

    describe("flags", () => {
      const failed = (flags: string[]) => evaluateModules("e.failed", upgrade({ flags })) as string[];

      it("reach the programs, a word a line", () => {
        const flags = ["--max-jobs", "1", "--option", "http-connections", "4", "--show-trace"];
        assert.deepEqual(failed(flags), []);
        const setting = "e.config.pulumiNixos.upgrade.settings.UPGRADE_NIX_FLAGS";
        assert.equal(evaluateModules(setting, upgrade({ flags })), flags.join("\n"));
        assert.equal(evaluateModules(setting), "");
      });

      const refused: [string[], RegExp][] = [
        [["--impure"], /"--impure" is not taken; allowed are --fallback, .*--cores NUMBER.*--option NAME VALUE/],
        [["--override-input", "nixpkgs", "x"], /"--override-input" is not taken/],
        [["--recreate-lock-file"], /is not taken/],
        [["--max-jobs 2"], /"--max-jobs 2" is not taken.*each word by itself/],
        [["--max-jobs"], /"--max-jobs" needs a number after it/],
        [["--cores", "all"], /"--cores" needs a number/],
        [["--option", "cores"], /"--option" needs the name of a setting and its value/],
        [["--option", "Cores!", "1"], /"--option" needs the name/],
        [["--option", "extra-trusted-public-keys", "x"], /refused: set pulumiNixos\.upgrade\.substituters/],
        [["--option", "require-sigs", "false"], /refused: set pulumiNixos/],
        // Names that Nix still takes for the same.
        [["--option", "binary-caches", "https://x"], /refused: set pulumiNixos/],
        [["--option", "extra-binary-cache-public-keys", "x"], /refused: set pulumiNixos/],
        [["--option", "build-use-sandbox", "false"], /belongs into nix\.settings/],
        [["--option", "builders", "ssh://x"], /belongs into nix\.settings; allowed here are .*http-connections/],
        [["--option", "plugin-files", "/x"], /belongs into nix\.settings/],
        [["--option", "access-tokens", "github.com=x"], /npm run secrets token/],
        [["--option", "post-build-hook", "/x"], /belongs into nix\.settings/],
      ];
      for (const [flags, message] of refused) {
        it(`refuse ${flags.join(" ")}`, () => {
          assert.match(failed(flags)[0] ?? "", message);
        });
      }
      it("refuse a word with a line in it", () => {
        assert.throws(() => failed(["--option", "cores", "1\n2"]), /flags is not of type/);
      });

      it("are those that both programs of Nix take", () => {
        const numbers = ["--cores", "--max-jobs", "--max-silent-time", "--timeout"].flatMap((flag) => [flag, "1"]);
        const alone = ["--fallback", "--keep-going", "--no-fallback", "--quiet", "--show-trace", "--verbose"];
        const flags = [...alone, ...numbers, "--option", "http-connections", "4"];
        assert.deepEqual(failed(flags), []);
        const expression = ["eval", "--extra-experimental-features", "nix-command", "--expr", "1", ...flags];
        for (const [program, words] of [
          ["nix", expression],
          ["nix-store", ["--realise", "--dry-run", ...flags]],
        ] as const) {
          const { status, stderr } = spawnSync(program, words, { encoding: "utf8", timeout: WAIT_MILLISECONDS });
          assert.equal(status, 0, stderr);
        }
      });
    });

    describe("system.autoUpgrade", () => {
      const beside = (settings: object, more: object = {}) => ({
        pulumiNixos: { ...configured.pulumiNixos, ...more },
        system: { autoUpgrade: settings },
      });

      it("cannot be on beside it", () => {
        assert.match(
          JSON.stringify(evaluateModules("e.failed", beside({ enable: true }))),
          /both want to be nixos-upgrade/,
        );
      });

      for (const [name, value] of Object.entries({ fixedRandomDelay: true, allowReboot: true, operation: "boot" })) {
        it(`is refused where it says what nobody reads (${name})`, () => {
          const failed = evaluateModules("e.failed", beside({ [name]: value })) as string[];
          assert.equal(failed.length, 1);
          assert.match(failed[0]!, new RegExp(`system\\.autoUpgrade\\.${name} is read by nobody.*Take it away`));
        });
      }

      for (const [name, value, own] of [
        ["dates", "hourly", "upgrade.dates"],
        ["flags", ["-L"], "upgrade.flags"],
        ["flake", "github:octocat/site?dir=nix", "repository"],
        ["randomizedDelaySec", "5min", "upgrade.randomizedDelaySec"],
        ["runGarbageCollection", true, "smallMachine"],
      ] as const) {
        it(`warns of ${name}, which pulumiNixos.${own} says`, () => {
          const configuration = beside({ [name]: value });
          assert.deepEqual(evaluateModules("e.failed", configuration), []);
          const warnings = (evaluateModules("e.config.warnings", configuration) as string[]).join();
          assert.match(
            warnings,
            new RegExp(`system\\.autoUpgrade\\.${name} is read by nobody.*pulumiNixos\\.${own}.* does the same`),
          );
        });
      }

      it("may say what is so in any case, or be off", () => {
        const same = beside({ enable: false, upgrade: false, operation: "switch", allowReboot: false });
        assert.deepEqual(evaluateModules("e.failed", same), []);
        assert.deepEqual(evaluateModules("e.config.warnings", same), []);
      });

      // As docs/upgrade.md has it.
      it("alone is the book's form, beside the other modules", () => {
        const page = fs.readFileSync(path.join(flakeFolder, "../docs/upgrade.md"), "utf8");
        const [, text] =
          /```nix\n(\{ config, \.\.\. \}:\n\n\{\n(?:.|\n)*?system\.autoUpgrade(?:.|\n)*?)```/.exec(page) ?? [];
        assert.ok(text !== undefined, "docs/upgrade.md has no module with system.autoUpgrade");
        const folder = fs.mkdtempSync(path.join(os.tmpdir(), "book-form-"));
        try {
          const file = path.join(folder, "book.nix");
          fs.writeFileSync(file, text);
          const secrets = { pulumiNixos: { ...configured.pulumiNixos, secrets: { file: "/nowhere/secrets.yaml" } } };
          const ask = (expression: string) =>
            evaluateModules(expression, secrets, ["modules", path.relative(flakeFolder, file)]);
          assert.deepEqual(ask("e.failed"), []);
          assert.deepEqual(ask("e.config.warnings"), []);
          const {
            enable,
            flake,
            upgrade: channels,
            dates,
          } = ask("e.config.system.autoUpgrade") as Record<string, unknown>;
          assert.deepEqual([enable, flake, channels, dates], [true, "github:octocat/site?dir=nix", false, "minutely"]);
          assert.equal(ask("e.config.nix.extraOptions"), "!include /run/secrets/github-access-token\n");
          assert.equal(ask("e.config.systemd.services ? nixos-upgrade"), false);
          assert.equal(ask('e.config.environment.etc ? "nixos-upgrade/off"'), true);
        } finally {
          fs.rmSync(folder, { recursive: true, force: true });
        }
      });
    });
  });

  it("the web server serves metrics only where it is told to", () => {
    const location = 'e.config.services.nginx.virtualHosts.default.locations ? "= /metrics"';
    const web = (metrics: boolean) => ({ pulumiNixos: { ...configured.pulumiNixos, web: { metrics } } });
    assert.deepEqual([evaluateModules(location), evaluateModules(location, web(true))], [false, true]);
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
