import * as pulumi from "@pulumi/pulumi";
import { UNSEEN } from "./signals";

/**
 * Runs a look at what is there beside a stack's resources, once they exist: it reads, and changes nothing. A look that is
 * refused is said and stops nothing, for a role may be older than it.
 */
export function look<T>(
  component: pulumi.ComponentResource,
  subject: string,
  known: pulumi.Output<T>,
  read: (known: T) => Promise<string | undefined>,
): void {
  known.apply(async (values) => {
    let found: string | undefined;
    try {
      found = await read(values);
    } catch (error) {
      found = `It ${UNSEEN} somebody added ${subject} by hand: ${(error as Error).message}`;
    }
    if (found !== undefined) await pulumi.log.warn(found, component);
  });
}
