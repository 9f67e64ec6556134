import * as pulumi from "@pulumi/pulumi";

/** Arguments as a component hands them to the engine, which keeps them in the state too: those that are given, as secrets. */
export function withSecrets<T extends object>(args: T, names: readonly (keyof T)[]): T {
  const given = names.filter((name) => args[name] !== undefined);
  return { ...args, ...Object.fromEntries(given.map((name) => [name, pulumi.secret(args[name])])) };
}
