import { shortened, escapeInvisible } from "./text";

/** A resource with what is worth knowing of it. */
export interface TreeNode {
  title: string;
  details: { label: string; value: string }[];
  children: TreeNode[];
}

const LONGEST_VALUE = 100;

/** Draws resources under the components that they belong to. */
export function resourceTree(roots: TreeNode[]): string[] {
  return roots.flatMap((root) => drawn(root, "", ""));
}

/** @param first what stands before the node's title; @param rest what stands before all that is below it */
function drawn({ title, details, children }: TreeNode, first: string, rest: string): string[] {
  const bar = children.length > 0 ? "│  " : "   ";
  return [
    first + escapeInvisible(title),
    ...details.map(({ label, value }) => `${rest}${bar}${label}: ${shortened(escapeInvisible(value), LONGEST_VALUE)}`),
    ...children.flatMap((child, at) => {
      const last = at === children.length - 1;
      return drawn(child, rest + (last ? "└─ " : "├─ "), rest + (last ? "   " : "│  "));
    }),
  ];
}
