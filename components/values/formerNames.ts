import * as pulumi from "@pulumi/pulumi";
import type { ArgumentRules } from "./errors";

/** Names that arguments had in the last version, and the ones that they have now. */
export type FormerNames = Record<string, string>;

/** Arguments under their names of today. An old name is understood for one version; both at once are refused. */
export function underNewNames<T extends object>(checks: ArgumentRules, args: T, names: FormerNames): T {
  const given = args as Record<string, unknown>;
  const renamed = Object.entries(given).map(([name, value]) => {
    const now = names[name];
    if (now === undefined || value === undefined) return [name, value];
    if (given[now] !== undefined)
      checks.plain(name, value, (property) => [
        `${property}: ${now} is given too, which is its name of today. Leave ${name} out.`,
      ]);
    return [now, given[now] ?? value];
  });
  return Object.fromEntries(renamed) as T;
}

/** Says once for each component that a program uses names which the next version does not know. */
export function warnOfFormerNames(component: pulumi.ComponentResource, ...args: [object | undefined, FormerNames][]) {
  const used = args.flatMap(([given, names]) =>
    Object.entries(names).filter(([name]) => (given as Record<string, unknown> | undefined)?.[name] !== undefined),
  );
  if (used.length === 0) return;
  const list = used.map(([name, now]) => `${name} is now ${now}`).join(", ");
  void pulumi.log.warn(`Arguments have other names: ${list}. The next version does not know the old ones.`, component);
}
