/**
 * Systems whose units are in trouble after a switch, and what is right for each: the same on a machine that upgrades itself
 * and on one that is deployed to. The behaviours are those of flake/build-system.sh.
 */
export interface HealthCase {
  what: string;
  /** The system that runs before (default: a good one). */
  before?: string;
  behaviour: string;
  /** The unit that is to blame; none where the system is well. */
  blamed?: string;
  /** A unit that fails, and is not to blame. */
  known?: string;
}

export const healthCases: HealthCase[] = [
  { what: "a unit that failed", behaviour: "failedUnits", blamed: "bench-broken.service" },
  { what: "a unit that dies and waits to be started again", behaviour: "dies", blamed: "bench-dies.service" },
  { what: "a unit that is started again all the time", behaviour: "diesSoon", blamed: "bench-dies.service" },
  { what: "a unit that dies before its program starts", behaviour: "diesBefore", blamed: "bench-dies.service" },
  { what: "a unit that died and has not ended yet", behaviour: "diesSlowly", blamed: "bench-dies.service" },
  { what: "a unit that died once and has run since", behaviour: "diesOnce" },
  {
    what: "a unit that failed before, too",
    before: "failedUnits",
    behaviour: "alsoBroken",
    known: "bench-broken.service",
  },
  {
    what: "a unit that failed before, too, and that this system changes",
    before: "failedUnits",
    behaviour: "otherwiseBroken",
    blamed: "bench-broken.service",
  },
  {
    what: "a unit that failed before, too, and that another nixpkgs gives other store paths",
    before: "brokenScript",
    behaviour: "sameBrokenScript",
    known: "bench-broken.service",
  },
  {
    what: "a unit that failed before, too, whose script this system changes",
    before: "brokenScript",
    behaviour: "otherBrokenScript",
    blamed: "bench-broken.service",
  },
  {
    what: "a unit that had died once before, and whose program another nixpkgs breaks",
    before: "serves",
    behaviour: "servesNot",
    blamed: "bench-serves.service",
  },
  { what: "a logged-in user whose activation fails", behaviour: "userActivationFails" },
];
