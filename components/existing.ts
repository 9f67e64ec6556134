import * as pulumi from "@pulumi/pulumi";
import { ADOPTING } from "./signals";

/** Outputs know it, and their types do not say so. */
interface Knowing<T> {
  isKnown: Promise<boolean>;
  promise(): Promise<T>;
}

function knowing<T>(input: pulumi.Input<T>): Knowing<T> {
  return pulumi.output(input) as unknown as Knowing<T>;
}

/** A value, undefined as long as something must be made for it. */
export async function ifKnown<T>(input: pulumi.Input<T>): Promise<T | undefined> {
  const output = knowing(input);
  return (await output.isKnown) ? output.promise() : undefined;
}

/**
 * Refuses in the preview to make what is there already and this stack does not have: after a destroy that left it, in a
 * second stack, or after a kill. The service would refuse too, but half-way, when the rest exists.
 *
 * @param lookUp what is wrong and what to do, in sentences; undefined where nothing is there
 */
export function refuseExisting(
  component: pulumi.ComponentResource,
  resource: pulumi.CustomResource,
  lookUp: () => Promise<string | undefined>,
): void {
  if (process.env[ADOPTING] !== undefined) return;
  resource.urn.apply(async () => {
    // Only what is still to be made has no id, and only in a preview.
    if (await knowing(resource.id).isKnown) return;
    let found: string | undefined;
    try {
      found = await lookUp();
    } catch {
      // Whoever may not look, or finds nothing to look in, is told by the service.
    }
    if (found !== undefined) throw new pulumi.ResourceError(found, component, true);
  });
}
