import { isMap, isSeq } from "yaml";
import { readYaml } from "../common/yaml";
import { UserError } from "../common/userError";

export const GARNIX_FILE = "garnix.yaml";

const FLAKE = "nix";
const SYSTEM = "nixosConfigurations.default";
const FRESH = `flakeDir: ${FLAKE}
builds:
  include: ["${SYSTEM}"]
`;

/**
 * garnix.yaml such that garnix evaluates the flake and builds the system. What a file has of its own stays; one that is
 * right is returned as it is.
 */
export function changeGarnixYaml(text: string): string {
  if (text.trim() === "") return FRESH;
  const document = readYaml(text, GARNIX_FILE);
  // Comments alone.
  if (document.contents === null) return `${text.trimEnd()}\n${FRESH}`;
  const builds = isMap(document.contents) ? document.get("builds") : "";
  const include = isMap(builds) ? builds.get("include") : undefined;
  if (!absentOr(isMap, builds) || !absentOr(isSeq, include)) {
    const remedy = `Give it "flakeDir: ${FLAKE}" and "${SYSTEM}" under builds.include, or remove it and run setup again.`;
    throw new UserError(`${GARNIX_FILE}: has another form than setup can change. ${remedy}`);
  }

  const hasSystem = isSeq(include) && include.toJSON().includes(SYSTEM);
  if (document.get("flakeDir") === FLAKE && hasSystem) return text;
  document.set("flakeDir", FLAKE);
  if (!isMap(builds)) document.set("builds", document.createNode({}));
  if (isSeq(include)) {
    if (!hasSystem) include.add(document.createNode(SYSTEM));
  } else {
    document.setIn(["builds", "include"], document.createNode([SYSTEM], { flow: true }));
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

function absentOr(is: (node: unknown) => boolean, node: unknown): boolean {
  return node === undefined || node === null || is(node);
}
