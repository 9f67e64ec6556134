import { cpSync, mkdtempSync } from "node:fs";
import * as path from "node:path";
import type { Fakes } from "../../cli/rehearse/fakes";

/** Of a stack's folder: the project with its configuration, the engine's state, and what was deployed. */
const PARTS = ["project", "state", "deployments", "evaluations"];

/** A stack at one moment, so that tests can begin there without an update each. */
export interface Snapshot {
  /** Whose copy can be made at any time. */
  folder: string;
  passphrase: string;
  /** The data of the services that the first update changes; their classes hold nothing else. */
  services: { ec2: object; github: object };
}

/** Takes a snapshot of a stack in which nothing goes on. */
export function take(stack: { folder: string; environment: NodeJS.ProcessEnv; fakes: Fakes }): Snapshot {
  const folder = mkdtempSync(`${stack.folder}-snapshot-`);
  copy(stack.folder, folder);
  const { ec2, github } = stack.fakes;
  return {
    folder,
    passphrase: stack.environment["PULUMI_CONFIG_PASSPHRASE"]!,
    services: structuredClone({ ec2: { ...ec2 }, github: { ...github } }),
  };
}

/** Puts a copy of what was the stack's into the folder of another. */
export function restoreFolder(snapshot: Snapshot, folder: string): void {
  copy(snapshot.folder, folder);
}

/** Has the services of another world hold what they held. */
export function restoreServices({ services }: Snapshot, { ec2, github }: Fakes): void {
  const { ec2: itsEc2, github: itsGithub } = structuredClone(services);
  Object.assign(ec2, itsEc2);
  Object.assign(github, itsGithub);
}

function copy(from: string, to: string): void {
  for (const part of PARTS)
    cpSync(path.join(from, part), path.join(to, part), { recursive: true, verbatimSymlinks: true });
}
