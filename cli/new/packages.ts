import { readFileSync } from "node:fs";
import path from "node:path";
import { FOLDER } from "./layout";

type Packages = Record<string, string>;

interface Manifest {
  engines: Packages;
  scripts: Packages;
  dependencies: Packages;
  devDependencies: Packages;
}

interface Lock {
  packages: Record<string, { link?: boolean; resolved?: string; dev?: boolean; [key: string]: unknown }>;
}

/** The commands of ours that a server's owner has, and `check`, which is their `test`. */
const COMMANDS = ["setup", "doctor", "secrets", "adopt", "rehearse", "preview-comment"];

/** What the program needs and does not import: commands start them, and the editor reads them. */
const TOOLS = ["pulumi", "tsx", "typescript", "@types/node", "@types/sshpk", "@types/semver", "@types/google-protobuf"];

/**
 * The manifests of a server's repository. The program's packages are in a workspace of its own, so that an update brings
 * other versions without a word in the owner's package.json. Nothing of ours is named as the registry knows it: a
 * workspace is a folder, and the name may belong to anybody there.
 */
export function manifests(
  source: string,
  name: string,
  program: string[],
): { own: string; ours: string; lock: string } {
  const root = read<Manifest>(source, "package.json");
  const command = (key: string) => root.scripts[key]!.replace("cli/", `${FOLDER}/cli/`);
  const own = {
    name,
    private: true,
    main: "index.ts",
    workspaces: [FOLDER, `${FOLDER}/components`, `${FOLDER}/policy`],
    engines: root.engines,
    scripts: {
      ...Object.fromEntries(COMMANDS.map((key) => [key, command(key)])),
      test: command("check"),
      build: "tsc --noEmit",
    },
  };
  const ours = {
    name: "pulumi-nixos-program",
    private: true,
    description: "What `npm run new -- --update` replaces; change nothing here.",
    license: "Apache-2.0",
    dependencies: used({ ...root.dependencies, ...root.devDependencies }, program.join("\n")),
  };
  return { own: json(own), ours: json(ours), lock: json(lockOf(read<Lock>(source, "package-lock.json"), own, ours)) };
}

function used(all: Packages, program: string): Packages {
  const named = Object.entries(all).filter(
    ([name]) => TOOLS.includes(name) || program.includes(`"${name}"`) || program.includes(`"${name}/`),
  );
  return Object.fromEntries(named.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Our lock file without what only the workshop needs: the same versions and hashes, and nobody has to be asked. */
function lockOf(
  lock: Lock,
  own: object & { name: string; workspaces: string[] },
  ours: { name: string; dependencies: Packages },
) {
  const { packages } = lock;
  const all: Lock["packages"] = {};
  for (const [place, entry] of Object.entries(packages)) if (place.startsWith("node_modules/")) all[place] = entry;
  for (const folder of ["components", "policy"]) {
    all[`${FOLDER}/${folder}`] = packages[folder]!;
    for (const [place, entry] of Object.entries(packages))
      if (place.startsWith(`${folder}/node_modules/`)) all[`${FOLDER}/${place}`] = entry;
  }
  for (const [place, { link, resolved }] of Object.entries(packages)) {
    if (link && !["components", "policy"].includes(resolved!)) delete all[place];
    else if (link) all[place] = { resolved: `${FOLDER}/${resolved}`, link: true };
  }
  all[FOLDER] = { name: ours.name, license: "Apache-2.0", dependencies: ours.dependencies };
  all[`node_modules/${ours.name}`] = { resolved: FOLDER, link: true };
  const kept = reached(all, own.workspaces);
  const head = without(own, "private", "main", "scripts");
  const entries = Object.keys(all)
    .filter((place) => kept.has(place))
    .sort();
  return {
    ...lock,
    name: own.name,
    packages: {
      "": head,
      ...Object.fromEntries(entries.map((place) => [place, without(all[place]!, "dev", "devOptional")])),
    },
  };
}

/** The places of all packages that some others need, by Node's rule: the nearest node_modules upwards. */
function reached(all: Lock["packages"], from: string[]): Set<string> {
  const links = Object.entries(all).flatMap(([place, { link, resolved }]) =>
    link && from.includes(resolved!) ? [place] : [],
  );
  const found = new Set<string>(links);
  const open = [...from];
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    if (found.has(place)) continue;
    found.add(place);
    const { dependencies, optionalDependencies, peerDependencies } = all[place] as Record<string, Packages | undefined>;
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      const next = nearest(all, place, name);
      if (next !== undefined) open.push(next);
    }
  }
  return found;
}

function nearest(all: Lock["packages"], place: string, name: string): string | undefined {
  for (let folder = place; ; folder = folder.includes("/") ? folder.slice(0, folder.lastIndexOf("/")) : "") {
    const candidate = folder === "" ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (candidate in all) return candidate;
    if (folder === "") return undefined;
  }
}

function without(entry: object, ...keys: string[]): object {
  return Object.fromEntries(Object.entries(entry).filter(([key]) => !keys.includes(key)));
}

function read<T>(folder: string, file: string): T {
  return JSON.parse(readFileSync(path.join(folder, file), "utf8")) as T;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
