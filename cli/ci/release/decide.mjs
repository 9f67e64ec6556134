// @ts-check
/** What may be released: the rules about the order of revisions, asked directly before each signature. */

/** @typedef {import("../../../components/release/record.mjs").ReleaseRecord} ReleaseRecord */

/**
 * @typedef {object} Question
 * @property {"publish" | "republish" | "renew"} mode
 * @property {string} revision that was built; for a renewal that of the last record
 * @property {string} tip where the branch is
 * @property {ReleaseRecord | undefined} last
 * @property {boolean} unreadable whether there are records, and none that our keys have signed
 * @property {boolean} rewritten whether somebody said that the branch was rewritten
 * @property {number} now seconds since 1970
 * @property {(older: string, newer: string) => Promise<boolean>} leadsOn
 *
 * `publish`: a new record. `nothing`: there is nothing to do, for a good reason. `refuse`: somebody must look.
 * @typedef {{ answer: "publish" | "nothing" | "refuse", why: string }} Decision
 */

/** Half a day less than the day between two renewals, as schedules of GitHub are late at times. */
const RENEWAL_SECONDS = 12 * 60 * 60;

/** @type {(why: string) => Decision} */
const nothing = (why) => ({ answer: "nothing", why });
/** @type {(why: string) => Decision} */
const refuse = (why) => ({ answer: "refuse", why });
/** @type {(why: string) => Decision} */
const publish = (why) => ({ answer: "publish", why });

const SAY_SO = "If the branch was rewritten on purpose, run this workflow by hand with `rewritten`.";

/**
 * @param {Question} question
 * @returns {Promise<Decision>}
 */
export async function decide(question) {
  const { mode, revision, tip, last, unreadable, rewritten, now, leadsOn } = question;
  if (last === undefined && unreadable && !rewritten) {
    return refuse(
      `No key of nix/release.json has signed any of the records in the bucket, so their order is unknown. ${SAY_SO}`,
    );
  }
  // A republished record stands for the branch as it was then: what comes after that may follow, what was before may not.
  const onBranch = last === undefined || (await leadsOn(last.tip, tip));
  if (mode === "renew") {
    if (last === undefined) return nothing("there is no release to renew");
    if (!onBranch)
      return refuse(`${last.revision} is not on the branch any more, so its release is not renewed. ${SAY_SO}`);
    return now - last.time < RENEWAL_SECONDS
      ? nothing(`release ${last.number} is younger than half a day`)
      : publish(`release ${last.number} once more`);
  }
  if (!(await leadsOn(revision, tip))) {
    return refuse(
      `The branch is at ${tip}, which does not lead on from ${revision}: it was rewritten, or this revision was never on it.`,
    );
  }
  if (!onBranch && !rewritten) {
    return refuse(
      `The branch is at ${tip}, which does not lead on from ${last?.tip}, of release ${last?.number}. ${SAY_SO}`,
    );
  }
  if (!onBranch && mode === "publish" && revision !== tip) {
    return nothing(`the branch was rewritten, and only its newest revision ${tip} may be released`);
  }
  if (mode === "republish") {
    return last?.republished === true && last.revision === revision && last.tip === tip
      ? nothing(`release ${last.number} is that`)
      : publish(`${revision} once more, in place of ${last?.revision ?? "none"}`);
  }
  if (last === undefined || !onBranch)
    return publish(last === undefined ? "the first release" : "the first release of the rewritten branch");
  if (last.tip === revision) {
    return nothing(
      last.republished
        ? `release ${last.number} went back on purpose, and holds until the next commit`
        : `it is release ${last.number}`,
    );
  }
  return (await leadsOn(last.tip, revision))
    ? publish(`it leads on from release ${last.number}`)
    : nothing(`release ${last.number} is of a newer revision`);
}
