import { type ValueRule, problem, quote } from "./errors";

/** The stable NixOS release that new machines start with; it drives the image's name filter. */
export const DEFAULT_RELEASE = "26.05";

/** The AWS account of the NixOS project that publishes the official images (https://nixos.github.io/amis/). */
export const NIXOS_AMI_OWNER = "427812963091";

/** A NixOS release: two digits of the year and the month, which is 05 or 11. */
export const nixosRelease: ValueRule<string> = (property, value) =>
  typeof value === "string" && /^\d\d\.(05|11)$/.test(value)
    ? []
    : [problem(property, quote(value), `a NixOS release, YY.05 or YY.11, such as "${DEFAULT_RELEASE}"`)];

/** The id of an Amazon Machine Image. */
export const amiId: ValueRule<string> = (property, value) =>
  typeof value === "string" && /^ami-([0-9a-f]{8}|[0-9a-f]{17})$/.test(value)
    ? []
    : [problem(property, quote(value), 'an image id such as "ami-0123456789abcdef0"')];

/** Filters of the official x86_64 image of a release. The account also holds test images, under `smoketest/`. */
export function nixosAmiFilters(release: string): { name: string; values: string[] }[] {
  return [
    { name: "name", values: [`nixos/${release}*`] },
    { name: "architecture", values: ["x86_64"] },
    { name: "state", values: ["available"] },
  ];
}

/**
 * The newest of the images found, or, where there is none, a text that is no image id.
 *
 * An empty lookup must not break a stack whose machine is running (its image is frozen), and the program cannot know
 * whether it is. So the empty case becomes a value that only the creation of a machine meets: AWS refuses it, and its
 * message repeats this text.
 */
export function newestAmi(ids: string[], release: string): string {
  return ids[0] ?? `no-official-NixOS-${release}-image-in-this-region-so-set-amiId-or-another-release`;
}
