import { failed, type Result } from "../common/result";

/** What machine.sh said, by name. */
export type MachineFacts = Record<string, string>;

const STATE = /^[a-z-]{0,40}$/;
const JSON_OBJECT = /^(?:\{.*\})?$/u;
const LONGEST = 60_000;

/**
 * The form of everything that it may say. The machine may be broken, or somebody else's by now, and what it says is
 * compared and shown: what has another form is left out and named.
 */
const FORMS: Record<string, RegExp> = {
  "key-mode": /^(?:[0-7]{3,4} [A-Za-z0-9._-]{1,64})?$/,
  "key-public": /^(?:[a-z0-9@.-]{1,64} [A-Za-z0-9+/]+={0,2}(?: .*)?)?$/u,
  off: /^(?:yes)?$/,
  timer: STATE,
  "upgrade-result": STATE,
  "upgrade-state": STATE,
  "probe-unit": STATE,
  probe: JSON_OBJECT,
  state: JSON_OBJECT,
  system: /^(?:\/[A-Za-z0-9+._?=/-]{1,300})?$/,
  now: /^\d{1,12}$/,
  // Names of files and of units, each with a space behind it.
  secrets: /^(?:[^\s\p{C}]+(?: |$))*$/u,
  "failed-units": /^(?:[0-9A-Za-z:_.\\@-]+(?: |$))*$/,
  disk: /^\d{0,3}$/,
};

/** What the machine said, in its form; and the names of what has another form, or was said twice. */
export function readFacts(stdout: string): { facts: MachineFacts; strange: string[] } {
  const facts: MachineFacts = {};
  const strange = new Set<string>();
  for (const line of stdout.split("\n")) {
    const [, name = "", said = ""] = /^([a-z-]{1,40})\t(.*)$/su.exec(line) ?? [];
    const value = said.trim();
    // A login shell's own files may print, too.
    if (!Object.hasOwn(FORMS, name)) continue;
    if (Object.hasOwn(facts, name) || value.length > LONGEST || !FORMS[name]!.test(value)) strange.add(name);
    else facts[name] = value;
  }
  for (const name of strange) delete facts[name];
  return { facts, strange: [...strange] };
}

export function strangeAnswers(names: string[]): Result[] {
  if (names.length === 0) return [];
  return [
    failed(
      "answers",
      `the machine says what it cannot mean: ${names.join(", ")}`,
      "Is it the right machine, and does root's login shell there run what it is sent? Look before you trust the rest.",
    ),
  ];
}
