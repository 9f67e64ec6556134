// Deployments and machines of different versions: what one leaves on the machine, the other understands. The other version
// is taken from this repository's history, its programs run as they were; so this cannot tell of versions to come.
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { Deployment, deploy, until } from "../../cli/rehearse/machine";
import { Guard, type Voice } from "../../cli/rehearse/machine/guard";
import { canRunMachine } from "../../cli/rehearse/machine/machine";
import { useBench } from "../support/bench";
import { assertMachineLeftClean, assertSystem, rejectedSystems, systemOf } from "../../cli/rehearse/machine/state";
import { configured, nixInstantiate, nixString } from "../../cli/rehearse/upgrade/evaluate";
import { requireOrSkip } from "../require";
import { extractRevision, revisionMissing } from "../support/history";
import { startUpgradeBench, type UpgradeBench, type Version } from "../../cli/rehearse/upgrade/bench";
import { asPrograms, programs, sourcedFiles } from "../../cli/rehearse/upgrade/programs";

/** The revisions whose programs are tried, and what their guard's script is made of. */
const OTHERS: Record<string, { guard: string[]; ending: string; confirmation: (seconds: number) => string[] }> = {
  ad6fdd9: { guard: ["guard.sh"], ending: "PATH=$(guarded path)", confirmation: () => [] },
  "419da40": {
    guard: ["units.sh", "rollback.sh", "guard.sh"],
    ending: 'PATH=$(get "${0%/*}/path")',
    confirmation: (seconds) => [String(seconds), "false"],
  },
};
const oldConfiguration = { continuousDeployment: { repository: { owner: "octocat", name: "site" } } };

describe("the protocol between deployments and machines", () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "protocol-"));
  const at = (revision: string, ...names: string[]) => path.join(folder, revision, ...names);

  before(function () {
    const missing = Object.keys(OTHERS).map(revisionMissing).find(Boolean);
    requireOrSkip(this, "history", missing === undefined, missing ?? "");
    const reason = canRunMachine();
    requireOrSkip(this, "systemd", reason === undefined, reason ?? "");
  });

  after(() => fs.rmSync(folder, { recursive: true, force: true }));
  before(() => {
    for (const revision of Object.keys(OTHERS)) {
      fs.mkdirSync(at(revision), { recursive: true });
      extractRevision(revision, at(revision), "components/deploy", "nix", "test/nix");
    }
  });

  /** How a deployment of a revision speaks to the machine. */
  function voiceOf(revision: string): Voice {
    const { guard, ending, confirmation } = OTHERS[revision]!;
    const scripts = (file: string) =>
      ["common.sh", ...(file === "guard.sh" ? guard : [file])]
        .map((name) => fs.readFileSync(at(revision, "components/deploy/remote", name), "utf8"))
        .join("\n");
    const guardScript = () => [scripts("guard.sh"), `${ending}\nexport PATH\n"$@"`].join("\n");
    return { scripts, guardScript, takeLease: "hold", confirmation };
  }

  /** The upgrade's programs of a revision. */
  function versionOf(revision: string): Version {
    return {
      programs: () => {
        const result = nixInstantiate(`let
            e = import ${at(revision, "test/nix/modules.nix")} { configuration = ${nixString(JSON.stringify(oldConfiguration))}; };
            programs = import ${at(revision, "nix/upgrade")} {
              inherit (e) lib; pkgs = (import ${at(revision, "test/nix/nixpkgs/packages.nix")}).x86_64-linux;
              nix = e.config.nix.package; settings = e.config.continuousDeployment.upgrade.settings;
            };
          in map (name: programs.\${name}.application) (builtins.attrNames programs)`);
        assert.equal(result.status, 0, result.stderr);
        return asPrograms(JSON.parse(result.stdout));
      },
      files: sourcedFiles(at(revision, "nix")),
    };
  }

  for (const revision of Object.keys(OTHERS)) {
    for (const older of ["deployment", "machine"] as const) {
      describe(`with the ${older} of revision ${revision}`, () => {
        let bench: UpgradeBench;
        let guard: Guard;
        let running: string;

        before(async () => {
          const version = older === "machine" ? versionOf(revision) : undefined;
          bench = await startUpgradeBench(configured, {}, version);
          guard = new Guard(bench.machine, older === "deployment" ? voiceOf(revision) : undefined);
          await bench.push();
          assert.equal(await bench.poll(), true);
        });
        beforeEach(async () => (running = await bench.current()));
        after(() => bench?.stop());

        it("the upgrade waits for the deployment's lease and guard, then goes on", async () => {
          const pushed = await bench.push();
          await guard.takeLease();
          assert.equal(await bench.poll(), true);
          assert.deepEqual([(await bench.status()).state, await bench.current()], ["held", running]);
          const next = await guard.build();
          assert.match((await guard.arm(next)).stdout, /^nixos-deploy armed/m);
          await guard.switch(next);
          await guard.confirm(next);
          assert.equal(await guard.state(), "confirmed 0");
          assert.equal(await bench.poll(), true);
          assert.equal(await bench.current(), next);
          await guard.call("guard.sh", "abandon", guard.token);
          assert.equal(await bench.poll(), true);
          const { state, revision: installed } = await bench.status();
          assert.deepEqual([state, installed], ["current", pushed]);
        });

        it("the upgrade leaves alone what the deployment rolled back", async () => {
          await bench.push();
          const rejected = await bench.machine.output(
            "nix build --no-link --print-out-paths 'git+file:///srv/work?dir=nix#nixosConfigurations.default.config.system.build.toplevel'",
          );
          await guard.arm(rejected, { confirmSeconds: 1 });
          await guard.switch(rejected);
          await until("the rollback", async () => /^rolled-back/.test(await guard.state()));
          await until("its end", async () => (await bench.machine.run("test -e /run/nixos-deploy/lease")).code !== 0);
          assert.deepEqual(await rejectedSystems(bench.machine), [rejected]);
          assert.equal(await bench.poll(), false);
          assert.equal((await bench.status()).lastError?.kind, "rejected");
          await assertSystem(bench.machine, running);
        });
      });
    }

    describe(`with an upgrade of revision ${revision} before or after it`, () => {
      for (const order of ["before", "after"]) {
        it(`the upgrade ends a switch that the one ${order === "before" ? "before" : "after"} it began`, async () => {
          const [old, today] = [versionOf(revision), { programs, files: sourcedFiles() }];
          const [first, second] = order === "before" ? [old, today] : [today, old];
          const bench = await startUpgradeBench(configured, {}, first);
          try {
            await bench.push();
            assert.equal(await bench.poll(), true);
            const running = await bench.current();
            const pushed = await bench.push({
              health: "#!/bin/sh\n[ -e /run/again ] || { : >/run/again; sleep 3600; }\necho it is not well\nexit 1\n",
            });
            const poll = bench.poll();
            await until("the check", async () => (await bench.machine.run("test -e /run/again")).code === 0);
            await bench.machine.output("systemctl kill --signal=KILL nixos-upgrade.service");
            assert.equal(await poll, false);
            await bench.use(second);
            assert.equal(await bench.poll(), false);
            const { lastError, wanted } = await bench.status();
            assert.deepEqual([lastError?.kind, wanted], ["health", pushed]);
            assert.equal((await bench.machine.run("test -e /var/lib/nixos-upgrade/pending.json")).code, 1);
            await assertSystem(bench.machine, running);
          } finally {
            await bench.stop();
          }
        });
      }
    });
  }

  describe("between two deployments:", () => {
    const it = useBench(2);
    const cutOff = "rm -f /run/nixos-deploy/lease /run/nixos-deploy/hold";

    for (const revision of Object.keys(OTHERS)) {
      it(`today's ends what one of revision ${revision} began and was cut off from`, async (bench) => {
        const setting = await bench.fresh();
        const guard = new Guard(setting.machine, voiceOf(revision));
        const left = await guard.build("second");
        await guard.arm(left);
        await guard.switch(left);
        await setting.machine.output(cutOff);
        const system = systemOf(await deploy(setting));
        await assertSystem(setting.machine, system);
        await assertMachineLeftClean(setting.machine);
      });

      it(`one of revision ${revision} ends what today's began and was cut off from`, async (bench) => {
        const setting = await bench.fresh();
        const guard = new Guard(setting.machine);
        const left = await guard.build("second");
        await guard.arm(left);
        await guard.switch(left);
        await setting.machine.output(cutOff);
        const program = at(revision, "components/deploy/deploy.mjs");
        const old = bench.track(await Deployment.start(setting, "default", {}, program));
        const system = systemOf(await old.result());
        await assertSystem(setting.machine, system);
        await assertMachineLeftClean(setting.machine);
      });
    }

    it("one leaves alone what one of a newer version began, and says so", async (bench) => {
      const setting = await bench.fresh();
      const guard = new Guard(setting.machine);
      const left = await guard.build("second");
      await guard.arm(left);
      await guard.switch(left);
      await setting.machine.output(`${cutOff}; echo 2 >/run/nixos-deploy/guard/protocol`);
      const result = await deploy(setting, "default", { DEPLOY_WAIT_SECONDS: "2" });
      assert.notEqual(result.code, 0);
      assert.match(result.stderr, /the machine finishes what a deployment of a newer version began \(switched\)/);
      assert.equal(await guard.state(), "switched 0");
    });

    it("one refuses a machine of a newer version before it takes its lease", async (bench) => {
      const setting = await bench.fresh();
      await setting.machine.output(`system=$(readlink -f /run/current-system)
        mkdir -p $system/etc/nixos-upgrade; echo 2 >$system/etc/nixos-upgrade/protocol`);
      const result = await deploy(setting);
      assert.notEqual(result.code, 0);
      assert.match(result.stderr, /speaks to deployments in version 2, and this program knows 1\./);
      assert.equal((await setting.machine.run("test -e /run/nixos-deploy/lease")).code, 1);
    });
  });
});
