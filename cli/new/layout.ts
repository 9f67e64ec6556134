import { UserError } from "../common/userError";

/** The folder of a server's repository that holds our program, and that an update replaces whole. */
export const FOLDER = ".pulumi-nixos";

/** What was given last, in that folder: the base of the next update's merge. */
export const GIVEN = `${FOLDER}/given.json`;

/** Of ours, what a server's repository has in that folder, at the same places. */
const PROGRAM = /^(components|program|policy|cli|docs|\.pulumi|\.github\/scripts)\/|^LICENSE$/;

/** Of that, what serves only this repository: tests' tools, the plan of its faults, and pictures. */
const WORKSHOP = /^(\.github\/scripts\/install-test-tools\.sh|docs\/(faults|speed)\.md|docs\/pictures\/.*)$/;

/** What belongs to the server's owner, who may change all of it; an update merges. */
const OWN =
  /^(index\.ts|Pulumi\.yaml|Pulumi\.dev\.yaml|tsconfig\.json|\.gitignore|\.npmrc|nix\/.*|\.github\/dependabot\.yml|\.github\/workflows\/(?!test\.yml).*)$/;

/** One file of the program that its owner changes all the same: which rules are off. */
const POLICY_CONFIG = "policy/config.json";

/** Where a file of ours is in a server's repository; undefined for what stays in the workshop. */
export function placeOf(file: string): { place: string; owned: boolean } | undefined {
  // Written for the new repository; the one beside package.json is about this one.
  if (file.startsWith("template/")) return { place: file.slice("template/".length), owned: true };
  if (OWN.test(file)) return { place: file, owned: true };
  if (!PROGRAM.test(file) || WORKSHOP.test(file)) return undefined;
  return { place: `${FOLDER}/${file}`, owned: file === POLICY_CONFIG };
}

/** Paths of the program in a text, such as ./components/index and cli/ci/checks.sh, but not in the middle of others. */
const PATHS = /(?<![\w./-])(\.\/)?(components|program|policy|cli|\.pulumi|\.github\/scripts)(?=\/\w)/g;

/** The text of one of our files as it is at its place in a server's repository. */
export function textAt(file: string, text: string): string {
  if (file === "tsconfig.json") return tsconfig(text);
  // A flake cannot name what is outside of its folder.
  const shell = file.endsWith(".sh") && PROGRAM.test(file);
  if (file.startsWith("nix/") || !(shell || (OWN.test(file) && file !== ".gitignore"))) return text;
  const moved = text
    .replace(PATHS, `$1${FOLDER}/$2`)
    .replaceAll("--policy-pack policy", `--policy-pack ${FOLDER}/policy`)
    // Scripts begin in the repository's root, which is one folder higher for them now.
    .replace('cd "$(dirname "$0")/../.."', 'cd "$(dirname "$0")/../../.."');
  return file === "Pulumi.yaml" ? withoutTemplate(moved) : moved;
}

/** A server's repository is nobody's template. */
function withoutTemplate(text: string): string {
  const lines = text.split("\n");
  const begin = lines.indexOf("template:");
  if (begin < 0) return text;
  let first = begin;
  while (lines[first - 1]?.startsWith("#")) first--;
  let end = begin + 1;
  while (/^( |$)/.test(lines[end] ?? "x")) end++;
  return [...lines.slice(0, first), ...lines.slice(end)].join("\n");
}

/** The editor looks at the owner's program, and through its imports at ours. */
function tsconfig(text: string): string {
  return text
    .replace(PATHS, `$1${FOLDER}/$2`)
    .replace(/"types": \[[^\]]*\]/, '"types": ["node"]')
    .replace(/"include": \[[^\]]*\]/, '"include": ["index.ts"]');
}

/** A name that Pulumi, GitHub and npm take; a folder may have others. */
export function projectName(name: string): string {
  if (/^[a-z0-9][a-z0-9._-]{0,99}$/.test(name)) return name;
  throw new UserError(
    `The project's name is the folder's, or --name: got "${name}"; allowed: small letters, digits, ".", "_" and "-".`,
  );
}
