import { canRunMachine } from "../../cli/rehearse/machine";
import { startUpgradeBench, type UpgradeBench } from "../../cli/rehearse/upgrade/bench";
import { requireOrSkip } from "../require";

/** A bench for the tests of a suite, in their order; skips the suite with the reason where there can be none. */
export function useUpgradeBench(): () => UpgradeBench {
  let bench: UpgradeBench | undefined;
  before(async function () {
    const reason = canRunMachine();
    requireOrSkip(this, "systemd", reason === undefined, reason ?? "");
    bench = await startUpgradeBench();
  });
  after(() => bench?.stop());
  return () => bench!;
}

/** What a poll asks the repository's server, and all that it asks while nothing changes. */
export const lsRemote = "git ls-remote --heads ssh://git@github.com/octocat/site";
