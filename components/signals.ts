// Words by which the commands and the program understand each other, without what a program needs to start.

/**
 * What every warning says that is about something added by hand, in the cloud or on GitHub. No update takes it away and
 * no refresh shows it, because it belongs to no resource of the stack; the search for drift knows it by these words.
 */
export const FOREIGN = "not of this stack";

/** What every warning says that is about such a search which was refused, so that nobody takes it for having found nothing. */
export const UNSEEN = "could not be seen whether";

/**
 * Set by `npm run adopt`, which asks the engine what it would make in order to import it, and by previews that begin with
 * an empty stack: for both it is no mistake that what the program describes is there.
 */
export const ADOPTING = "PULUMI_NIXOS_ADOPTING";
