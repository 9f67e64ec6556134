import * as pulumi from "@pulumi/pulumi";
import { within } from "../../cli/rehearse/within";

export { within };

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
export async function awaited<T>(output: pulumi.Output<T>): Promise<T> {
  const { value, known } = await awaitedFacts(output);
  if (!known) throw new Error("The output has no known value.");
  return value;
}

/** Like `awaited`, with what else is known of the output; an unknown value is no failure here. */
export async function awaitedFacts<T>(output: pulumi.Output<T>): Promise<Facts<T>> {
  const inner = output as unknown as OutputInternals<T>;
  const all = Promise.all([inner.promise(), inner.isKnown, inner.isSecret]);
  const [value, known, secret] = await within(all, "the output");
  return { value, known, secret };
}
