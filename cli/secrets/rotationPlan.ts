/** The steps of a rotation, in their order. */
export const STEPS = ["start", "make", "encrypt", "install", "swap", "use", "remove", "drop", "destroy"] as const;
export type Step = (typeof STEPS)[number];

/** What decides which step comes next. All of it is read anew at each run: nothing remembers where a rotation was. */
export interface RotationFacts {
  /** What the configuration says: what the next update does. */
  configured: number[];
  /** What the last finished update did. */
  deployed: number[];
  /** Whether everything that is encrypted is encrypted for this version of the key. */
  encryptedFor(version: number): boolean;
  /** Whether anything is still encrypted for this version of the key. */
  stillEncryptedFor(version: number): boolean;
}

/** The step that comes next, or what stands in the way in words. */
export function nextStep(facts: RotationFacts): Step | { trouble: string } {
  const { configured, deployed } = facts;
  const [first, second] = configured as [number, number?];
  if (second === undefined) {
    if (same(deployed, configured)) return "start";
    if (deployed.length === 2 && deployed[0] === first) return "destroy";
    return unsafe(configured, deployed);
  }
  const making = second > first;
  if (making) {
    if (same(deployed, [first])) return "make";
    if (!same(deployed, configured)) return unsafe(configured, deployed);
    return facts.encryptedFor(second) ? "install" : "encrypt";
  }
  if (same(deployed, [second, first])) return "use";
  if (!same(deployed, configured)) return unsafe(configured, deployed);
  return facts.stillEncryptedFor(second) ? "remove" : "drop";
}

/** The versions that the next step but one of a rotation asks for. */
export function versionsAfter(step: Step, configured: number[]): number[] {
  if (step === "start") return [configured[0]!, configured[0]! + 1];
  if (step === "swap") return [...configured].reverse();
  if (step === "drop") return [configured[0]!];
  return configured;
}

/** An update that swaps keys which nothing is encrypted for, or that drops the one in use, locks the machine out. */
function unsafe(configured: number[], deployed: number[]): { trouble: string } {
  return {
    trouble:
      `keyVersions: got ${JSON.stringify(configured)}, but the stack has ${JSON.stringify(deployed)}. ` +
      `Set it back to ${JSON.stringify(deployed)} in the stack's configuration, and run this again.`,
  };
}

function same(a: number[], b: number[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}
