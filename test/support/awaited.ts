import * as pulumi from "@pulumi/pulumi";

/** What the runtime knows of an output; its types leave these members out. */
interface OutputInternals<T> {
  promise(): Promise<T>;
  isKnown: Promise<boolean>;
  isSecret: Promise<boolean>;
}

/** An output's value, whether it is known yet, and whether it is secret. */
export interface Facts<T> {
  value: T;
  known: boolean;
  secret: boolean;
}

/**
 * The value of an output, within a time limit.
 *
 * `new Promise((resolve) => output.apply(resolve))` would hang when the output fails, and an assertion inside `apply`
 * that nobody awaits passes whatever it says. This rejects in both cases, and also when the value is unknown.
 */
export async function awaited<T>(output: pulumi.Output<T>, milliseconds = 2000): Promise<T> {
  const { value, known } = await awaitedFacts(output, milliseconds);
  if (!known) throw new Error("The output has no known value.");
  return value;
}

/** Like `awaited`, with what else is known of the output; an unknown value is no failure here. */
export async function awaitedFacts<T>(output: pulumi.Output<T>, milliseconds = 2000): Promise<Facts<T>> {
  const inner = output as unknown as OutputInternals<T>;
  const all = Promise.all([inner.promise(), inner.isKnown, inner.isSecret]);
  const [value, known, secret] = await within(all, milliseconds, "the output");
  return { value, known, secret };
}

/** Rejects when a promise takes longer than it may. */
export async function within<T>(promise: Promise<T>, milliseconds: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`No result of ${what} after ${milliseconds} ms.`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
