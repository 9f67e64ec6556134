import type { RepositoryFile } from "../../program/repositoryFile";

/** nix/repository.json with its four fields set; order and other fields stay. The text itself if nothing changes. */
export function changeRepositoryJson(text: string, fields: RepositoryFile): string {
  const content = JSON.parse(text) as Record<string, unknown>;
  if (Object.entries(fields).every(([key, value]) => content[key] === value)) return text;
  return `${JSON.stringify({ ...content, ...fields }, null, 2)}\n`;
}
