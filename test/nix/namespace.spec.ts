// The options' names: those of the last version still work, with a warning, and a module is on only where somebody says
// so. By a real Nix with a stand-in of nixpkgs' module system.
import assert from "node:assert/strict";
import { requireOrSkip } from "../require";
import { evaluateModules, nixMissing } from "../../cli/rehearse/upgrade/evaluate";

const KEY = "/var/lib/another-key";
const SIGNER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHx5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5 octocat";

/** Every option of the last version that can be set, below `continuousDeployment`, with a value that is not its default. */
const OLD: Record<string, unknown> = {
  "amazon.rootKeyFollowsMachineKey": false,
  "hardening.enable": false,
  "hardening.metadataForRootOnly": false,
  "repository.access": "token",
  "repository.branch": "production",
  "repository.name": "site",
  "repository.owner": "octocat",
  "secrets.file": "/nowhere/secrets.yaml",
  "secrets.folder": "/nowhere",
  "smallMachine.enable": false,
  "smallMachine.journalMiB": 50,
  "smallMachine.keepGenerations": 2,
  "smallMachine.swapMiB": 0,
  "upgrade.allowLockout": true,
  "upgrade.allowRewrittenHistory": true,
  "upgrade.attribute": "web",
  "upgrade.dates": "hourly",
  "upgrade.directory": "machines",
  "upgrade.enable": false,
  "upgrade.flake": "path:/flake",
  "upgrade.freshness.limitSeconds": 60,
  "upgrade.freshness.onFailure": "echo",
  "upgrade.freshness.tokenWarningDays": 3,
  "upgrade.health.seconds": 5,
  "upgrade.health.sshPort": 2222,
  "upgrade.health.units": ["postgresql.service"],
  "upgrade.health.url": "http://127.0.0.1/",
  "upgrade.randomizedDelaySec": "1min",
  "upgrade.remote": "file:///repository",
  "upgrade.retrySeconds": 60,
  "upgrade.signatures.allowGithubMerge": true,
  "upgrade.signatures.allowedSigners": [SIGNER],
  "upgrade.signatures.githubKey": "/key.gpg",
  "upgrade.status.details": true,
  "upgrade.status.linkCommit": false,
  "upgrade.substituters": ["https://cache.example.org"],
  "upgrade.switchSeconds": 60,
  "upgrade.tokenFile": "/run/token",
  "upgrade.trustedPublicKeys": ["cache.example.org-1:AAAA"],
  "web.enable": false,
  "web.root": "/srv",
  "web.statusDirectory": "/run/status",
};
const OLD_KEYS = ["amazon.machineKey", "secrets.key", "upgrade.identity"];

/** { "a.b": 1 } below a name. */
function nested(root: string, values: Record<string, unknown>): object {
  const result: Record<string, unknown> = {};
  for (const [path, value] of Object.entries(values)) {
    const names = [root, ...path.split(".")];
    let at = result;
    for (const name of names.slice(0, -1)) at = (at[name] ??= {}) as Record<string, unknown>;
    at[names.at(-1) ?? ""] = value;
  }
  return result;
}

const keys = (value: string) => Object.fromEntries(OLD_KEYS.map((name) => [name, value]));

/** Everything that a configuration asks of NixOS. */
function machine(configuration: object): unknown {
  return evaluateModules(
    `removeAttrs e.config [ "continuousDeployment" "pulumiNixos" "assertions" "warnings" ]`,
    configuration,
  );
}

describe("the options' names", () => {
  before(function () {
    requireOrSkip(this, "nix", nixMissing() === undefined, nixMissing() ?? "");
  });

  describe("of the last version", () => {
    it("describe the machine that today's describe", () => {
      // What is off hides what its module does, so a second machine has all modules.
      for (const left of [[], Object.keys(OLD).filter((name) => name.endsWith(".enable"))]) {
        const values = Object.fromEntries(Object.entries(OLD).filter(([name]) => !left.includes(name)));
        const old = machine(nested("continuousDeployment", { ...values, ...keys(KEY) }));
        assert.deepEqual(old, machine(nested("pulumiNixos", { ...values, machineKey: KEY })));
        assert.notDeepEqual(old, machine({}));
      }
    });

    it("are each said to have another name, which is where their values go", () => {
      const configuration = nested("continuousDeployment", { ...OLD, ...keys(KEY) });
      const warnings = evaluateModules("e.config.warnings", configuration) as string[];
      const renamed = (path: string, to: string) =>
        `The option \`continuousDeployment.${path}' has been renamed to \`pulumiNixos.${to}'.`;
      for (const path of Object.keys(OLD)) assert.ok(warnings.includes(renamed(path, path)), path);
      for (const path of OLD_KEYS) assert.ok(warnings.includes(renamed(path, "machineKey")), path);
      for (const root of ["pulumiNixos", "continuousDeployment"]) {
        const read = Object.keys(OLD).map((path) => `e.config.${root}.${path}`);
        assert.deepEqual(evaluateModules(`[ ${read.join(" ")} ]`, configuration), Object.values(OLD), root);
      }
    });

    it("of its three keys are refused where the others' would change with one", () => {
      for (const name of OLD_KEYS) {
        const failed = evaluateModules("e.failed", nested("continuousDeployment", { [name]: KEY }));
        assert.match(JSON.stringify(failed), /Set pulumiNixos\.machineKey instead/, name);
      }
      assert.deepEqual(evaluateModules("e.failed", nested("continuousDeployment", keys(KEY))), []);
      const usual = nested("continuousDeployment", { "upgrade.identity": "/var/lib/id_ed25519" });
      assert.deepEqual(evaluateModules("e.failed", usual), []);
    });
  });

  it("have one for the machine's key, which every module reads", () => {
    const configuration = nested("pulumiNixos", {
      enable: true,
      machineKey: KEY,
      "repository.owner": "octocat",
      "secrets.file": "/nowhere/secrets.yaml",
    });
    const read = `with e.config; [ sops.age.sshKeyPaths pulumiNixos.upgrade.settings.UPGRADE_MACHINE_KEY
      systemd.services.root-key-follows-machine-key.environment.MACHINE_KEY
      systemd.paths.root-key-follows-machine-key.pathConfig.PathChanged ]`;
    assert.deepEqual(evaluateModules(read, configuration), [[KEY], KEY, KEY, KEY]);
    assert.match(String(evaluateModules("e.config.programs.ssh.extraConfig", configuration)), new RegExp(KEY));
    assert.doesNotMatch(JSON.stringify(machine(configuration)), /id_ed25519/);
  });

  describe("of what turns modules on:", () => {
    const owner = { "repository.owner": "octocat" };
    const warning = (values: Record<string, unknown>, modules?: string[]) =>
      (evaluateModules("e.config.warnings", nested("pulumiNixos", values), modules) as string[]).filter((text) =>
        text.includes("importing a module"),
      );

    it("one is on because it was imported, as in the last version, and that is about to end", () => {
      assert.deepEqual(
        machine(nested("pulumiNixos", owner)),
        machine(nested("pulumiNixos", { ...owner, enable: true })),
      );
      const [text = ""] = warning(owner);
      for (const name of ["amazon", "hardening", "secrets", "smallMachine", "upgrade", "web"]) {
        assert.match(text, new RegExp(`pulumiNixos\\.${name}\\.enable = true`));
        const [alone, needed] = name === "upgrade" ? ["modules/upgrade", owner] : [`modules/${name}.nix`, {}];
        assert.equal(warning(needed, [alone]).length, 1, name);
        for (const enable of [true, false])
          assert.deepEqual(warning({ ...needed, [`${name}.enable`]: enable }, [alone]), [], name);
      }
    });

    it("all are on or off together where that is said, each unless it says otherwise itself", () => {
      const on = (values: Record<string, unknown>) =>
        evaluateModules(
          `map (name: e.config.pulumiNixos.\${name}.enable) [ "amazon" "hardening" "secrets" "smallMachine" "upgrade" "web" ]`,
          nested("pulumiNixos", values),
        );
      assert.deepEqual(on({ ...owner, enable: true }), [true, true, true, true, true, true]);
      assert.deepEqual(on({ ...owner, enable: false }), [false, false, false, false, false, false]);
      assert.deepEqual(on({ ...owner, enable: false, "web.enable": true }), [false, false, false, false, false, true]);
      // The upgrade waits for an owner.
      assert.deepEqual(on({ enable: true, "web.enable": false }), [true, true, true, true, false, false]);
      for (const enable of [true, false]) assert.deepEqual(warning({ ...owner, enable }), []);
    });

    it("a module that is off asks nothing of NixOS but what shows its state", () => {
      const off = machine(nested("pulumiNixos", { ...owner, enable: false })) as {
        environment: { etc: object };
        systemd: { services: object; timers?: object; paths?: object };
        services: object;
      };
      assert.deepEqual(Object.keys(off.systemd.services), ["nixos-upgrade-status"]);
      assert.deepEqual(Object.keys(off.environment.etc), ["nixos-upgrade/off"]);
      assert.deepEqual([off.systemd.timers ?? {}, off.systemd.paths ?? {}], [{}, {}]);
    });
  });
});
