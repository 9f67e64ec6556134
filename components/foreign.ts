import * as pulumi from "@pulumi/pulumi";

/**
 * What every warning says that is about something added by hand, in the cloud or on GitHub. No update takes it away and
 * no refresh shows it, because it belongs to no resource of the stack; the search for drift knows it by these words.
 */
export const FOREIGN = "not of this stack";

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
      found = `It could not be seen whether somebody added ${subject} by hand: ${(error as Error).message}`;
    }
    if (found !== undefined) await pulumi.log.warn(found, component);
  });
}
