// @ts-check
// What a machine may answer. The machine may be broken, or somebody else's by now: what it says is shown to people,
// compared, and becomes part of commands that they are advised to run. So every answer has a form, and one of another
// form is refused whole.
import { DeploymentError } from "./errors.mjs";
import { shortened, escapeInvisible } from "./text.mjs";

/** More than the differences between two systems take. */
export const MOST_ANSWERED = 2 ** 20;
const MOST_LINES = 5000;
const LONGEST = 20_000;

const STORE_PATH = String.raw`\/nix\/store\/[0-9a-z]{32}-[0-9A-Za-z+._?=-]{1,211}`;
/** `<token> <unix time> <holder>`, or nothing. */
const LEASE = /^(?:[0-9A-Za-z_-]{1,64} \d{1,12} [0-9A-Za-z._@ -]+)?$/;
/** A state and what is to be said about it: `rolled-back switch-failed-with-2`, or with a signal such as `RTMIN+3`. */
const STATE = /^[a-z-]{1,40}(?: [0-9A-Za-z+-]{1,80})?$/;
const TOKEN = /^[0-9A-Za-z_-]{0,64}$/;
/** Where the links of a machine without NixOS end, which `readlink -f` prints all the same. */
const SYSTEM = new RegExp(
  String.raw`^(?:${STORE_PATH}|\/run\/current-system|\/nix\/var\/nix\/profiles\/[a-z0-9-]{1,40})?$`,
);
const UNIT = /^[0-9A-Za-z:_.\\@-]{1,255}$/;
/** As nix/modules/upgrade/checks.nix has it. */
const CHECK = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const VERSION = /^\d{0,4}$/;
const UNIT_STATE = /^[a-z-]{0,20}$/;
const NOTHING = /^$/;
/** Only ever shown. */
const WORDS = /^.*$/u;

/**
 * The form of every answer, by its name: what `say` of remote/ is called with. A name that is not here is not heard.
 * @type {Record<string, RegExp>}
 */
const FORMS = {
  "key-missing": NOTHING,
  "key-empty": NOTHING,
  "key-unreadable": NOTHING,
  key: /^[a-z0-9@.-]{1,64} [A-Za-z0-9+/]+={0,2}(?: .*)?$/u,
  system: SYSTEM,
  profile: SYSTEM,
  previous: SYSTEM,
  armed: new RegExp(`^${STORE_PATH}$`),
  unkept: NOTHING,
  takes: NOTHING,
  unreleased: WORDS,
  "guard-system": SYSTEM,
  "no-way-back": SYSTEM,
  built: new RegExp(`^${STORE_PATH}$`),
  "build-failed": /^\d{1,3}$/,
  deployed: new RegExp(String.raw`^(?:(?:${STORE_PATH}|sha256-[0-9A-Za-z+/=-]{1,100}) ${STORE_PATH})?$`),
  upgrade: UNIT_STATE,
  lease: LEASE,
  held: LEASE,
  lost: LEASE,
  leased: TOKEN,
  guard: STATE,
  busy: STATE,
  "guard-token": TOKEN,
  protocol: VERSION,
  "guard-protocol": VERSION,
  probed: NOTHING,
  "failed-unit": UNIT,
  "known-failed-unit": UNIT,
  "failed-check": CHECK,
  "known-failed-check": CHECK,
  watching: /^\d{1,5}$/,
  "reboot-needed": NOTHING,
  change: WORDS,
  repository: WORDS,
};

/** Answers that may come more than once. */
const LISTS = ["failed-unit", "known-failed-unit", "failed-check", "known-failed-check", "change"];

/**
 * What a call answers at least, one of these: without it the script did not run to its end.
 * @type {Record<string, string[]>}
 */
const ENDS = {
  probe: ["probed"],
  take_lease: ["leased", "held"],
  renew_lease: ["leased", "lost"],
  build: ["built", "build-failed"],
  arm: ["armed", "lost", "busy", "no-way-back"],
  confirm: ["guard"],
  abandon: ["guard"],
};

/** The machine answered what its scripts never answer. Asking again does not help. */
export class StrangeAnswer extends DeploymentError {
  /** @param {string} what */
  constructor(what) {
    super(`The machine's answer cannot be used: ${what}`, {
      advice: [
        "Is it the right machine, and does root's login shell there run what it is sent? Look before you go on.",
      ],
    });
    this.name = "StrangeAnswer";
  }
}

/**
 * The answers of a script, each of its form.
 * @param {string} call the function that was called
 * @param {string} stdout
 */
export function readAnswers(call, stdout) {
  const answers = new MachineReport(stdout);
  answers.lines = answers.lines.filter(({ name }) => Object.hasOwn(FORMS, name));
  if (answers.lines.length > MOST_LINES) throw new StrangeAnswer(`it has more than ${MOST_LINES} lines.`);
  const seen = new Set();
  for (const { name, value } of answers.lines) {
    if (value.length > LONGEST || !FORMS[name]?.test(value)) {
      throw new StrangeAnswer(`"${name}" is ${JSON.stringify(escapeInvisible(shortened(value, 200)))}.`);
    }
    if (seen.has(name) && !LISTS.includes(name)) throw new StrangeAnswer(`it says "${name}" twice.`);
    seen.add(name);
  }
  const ends = ENDS[call];
  if (ends !== undefined && !ends.some((name) => seen.has(name))) {
    throw new StrangeAnswer(`it lacks ${ends.map((name) => `"${name}"`).join(" or ")} after "${call}".`);
  }
  return answers;
}

/** What a script on the machine answered. */
export class MachineReport {
  /** @param {string} stdout */
  constructor(stdout) {
    this.lines = stdout
      .split("\n")
      .map((line) => /^nixos-deploy (\S+) (.*)$/.exec(line))
      .filter((match) => match !== null)
      .map(([, name = "", value = ""]) => ({ name, value: value.trim() }));
  }

  /** @param {string} name */
  has(name) {
    return this.lines.some((line) => line.name === name);
  }

  /** @param {string} name */
  get(name) {
    return this.lines.find((line) => line.name === name)?.value ?? "";
  }

  /** @param {string} name */
  all(name) {
    return this.lines.filter((line) => line.name === name).map(({ value }) => value);
  }
}

/** Whether a text is the path of something in Nix's store. @param {string} text */
export function isStorePath(text) {
  return FORMS.built?.test(text) === true;
}
