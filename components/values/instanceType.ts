import { type ValueRule, problem, quote } from "./errors";

/** What a machine is when nobody says: 2 GiB of memory, which evaluating NixOS fits in. */
export const DEFAULT_INSTANCE_TYPE = "t3.small";

// The attributes end in words with digits for some: u7i-12tb, p6-b200. A family can hold a size: u-6tb1.
const FORM = /^([a-z]+-?[a-z0-9]*?)(\d+)([a-z]*(?:-[a-z0-9]+)*)\.([a-z0-9-]+)$/;

/** The parts of a name can be divided in many ways, and a text without end in too many. */
const LONGEST = 40;

/**
 * An EC2 instance type whose processor is x86_64, which the NixOS image and `nixosConfigurations.default` are for.
 *
 * In AWS's naming scheme (family, generation, attributes, size) a `g` among the attributes marks a Graviton (ARM)
 * processor: t4g, m7gd, c8gn. The `g` of g4dn or g6 is the family, and those are x86_64. `a1` predates the scheme,
 * and `mac` machines do not run this image.
 */
export const x86InstanceType: ValueRule<string> = (property, value) => {
  const parts = typeof value === "string" && value.length <= LONGEST ? FORM.exec(value) : null;
  if (parts === null) {
    return [problem(property, quote(value), 'an x86_64 EC2 instance type such as "t3.small" or "m7i.large"')];
  }
  const [, family, generation, attributes] = parts;
  const arm = attributes!.includes("g") || `${family}${generation}` === "a1";
  if (!arm && family !== "mac") return [];
  return [
    problem(
      property,
      `${quote(value)}, which is ${arm ? "an ARM (aarch64)" : "a macOS"} machine`,
      'an x86_64 type such as "t3.small", "t3a.small" or "m7i.large"',
      "The NixOS image and nixosConfigurations.default are built for x86_64-linux.",
    ),
  ];
};

/** Sizes with 1 GiB of memory or less, where evaluating NixOS (about 1.1 GB) can be killed. */
export function isShortOfMemory(instanceType: string): boolean {
  return /\.(nano|micro)$/.test(instanceType);
}
