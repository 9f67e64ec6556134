// Which systems a deployment keeps, by the same cases as an upgrade (upgrade-health.spec.ts): the guard's scripts on a
// machine, called as a deployment calls them, with real units of a real systemd.
import assert from "node:assert/strict";
import { canRunMachine, startMachine, until, type Machine } from "../../cli/rehearse/machine";
import { Guard } from "../../cli/rehearse/machine/guard";
import { healthCases } from "../../cli/rehearse/machine/healthCases";
import { requireOrSkip } from "../require";

describe("the units after a deployment's switch", () => {
  let machine: Machine;
  let guard: Guard;

  before(async function () {
    const reason = canRunMachine();
    requireOrSkip(this, "systemd", reason === undefined, reason ?? "");
    machine = await startMachine();
    guard = new Guard(machine);
  });
  after(() => machine?.stop());

  /** The machine runs this system, as one that an earlier deployment has confirmed. */
  async function runs(attribute: string): Promise<void> {
    const system = await guard.build(attribute);
    await machine.output(`rm -f /run/bench/once
      nix-env --profile /nix/var/nix/profiles/system --set ${system}
      ${system}/bin/switch-to-configuration switch >/dev/null 2>&1 || (($? == 4))
      mkdir -p /var/lib/nixos-deploy; echo /nix/store/a.drv ${system} >/var/lib/nixos-deploy/deployed`);
  }

  for (const { what, before: previous = "initial", behaviour, blamed, known } of healthCases) {
    it(`${what}: the system is ${blamed === undefined ? "kept" : "taken back"}`, async () => {
      await runs(previous);
      const system = await guard.build(behaviour);
      await guard.arm(system);
      await guard.switch(system);
      let said = "";
      await until("the verdict", async () => {
        said = (await guard.confirm(system, 6)).stdout;
        return !/^nixos-deploy guard switched/m.test(said);
      });
      if (blamed !== undefined) {
        assert.match(said, new RegExp(`^nixos-deploy failed-unit ${blamed}$`, "m"));
        const ended = async () => (await guard.state()) === "rolled-back units-failed";
        await until("the rollback", ended);
      } else {
        assert.match(said, /^nixos-deploy guard confirmed/m);
        assert.doesNotMatch(said, /nixos-deploy failed-unit/);
        assert.equal(
          known !== undefined && said.includes(`nixos-deploy known-failed-unit ${known}`),
          known !== undefined,
        );
        // Whoever asks later hears the same.
        let later = "";
        const well = async () => {
          later = (await guard.call("probe.sh", "probe")).stdout;
          return !later.includes("nixos-deploy failed-unit");
        };
        await until("the same verdict", well);
        if (known !== undefined) assert.match(later, new RegExp(`^nixos-deploy known-failed-unit ${known}$`, "m"));
      }
    });
  }
});
