import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { eventually } from "./eventually";

/** One start of the deployment program. */
export interface Deployment {
  pid: number;
  /** What it was told, but for the private key. */
  environment: Record<string, string>;
  /** SHA-256 of the private key that it was given. */
  privateKeyHash: string;
  arguments: string[];
}

const PROGRAM = "components/deploy/deploy.mjs";
const EVALUATION = "components/deploy/evaluate.mjs";

/**
 * Takes the place of the deployment program, and counts what the command provider starts. It is a `node` on PATH, so
 * that it works for the emulated provider and the real one, and neither the program nor its files are touched.
 */
export class Deployments {
  /** To be put before everything else on PATH. */
  readonly bin: string;
  private readonly notes: string;
  private readonly marks: string;
  private readonly held: string;

  /** @param folder may hold the notes of another stack, which then go on */
  constructor(folder: string) {
    this.bin = path.join(folder, "bin");
    this.notes = path.join(folder, "deployments");
    this.marks = path.join(folder, "evaluations");
    this.held = path.join(folder, "hold-evaluations");
    mkdirSync(this.bin);
    mkdirSync(this.notes, { recursive: true });
    appendFileSync(this.marks, "");
    this.install("node", this.wrapper());
  }

  /** Puts a program on PATH, before all others. */
  install(name: string, script: string): void {
    writeFileSync(path.join(this.bin, name), script, { mode: 0o755 });
  }

  get all(): Deployment[] {
    const files = readdirSync(this.notes).filter((name) => name.endsWith(".json"));
    return files.sort().map((name) => JSON.parse(readFileSync(path.join(this.notes, name), "utf8")) as Deployment);
  }

  /** Resolves when the deployment program has been started so often. */
  started(count: number): Promise<void> {
    return eventually(`deployment ${count}`, () => this.all.length >= count);
  }

  /** Resolves when the flake has been evaluated, or begun to be, so often. */
  evaluated(count: number): Promise<void> {
    return eventually(`evaluation ${count}`, () => this.evaluations >= count);
  }

  /** How often the flake was evaluated. */
  get evaluations(): number {
    return readFileSync(this.marks, "utf8").length;
  }

  /** Holds all evaluations until what it returns is called. */
  holdEvaluations(): () => void {
    writeFileSync(this.held, "");
    return () => rmSync(this.held, { force: true });
  }

  /** `real` starts the real program, which will find no machine. */
  behave(behaviour: "succeed" | "fail" | "hold" | "real"): void {
    writeFileSync(path.join(this.notes, "behaviour"), behaviour);
  }

  private wrapper(): string {
    const standIn = path.join(__dirname, "standIn.mjs");
    return `#!/bin/sh
case $1 in
${EVALUATION})
  printf . >>'${this.marks}'
  while [ -e '${this.held}' ]; do sleep 0.1; done ;;
${PROGRAM})
  [ "$(cat '${this.notes}/behaviour' 2>/dev/null)" = real ] || exec '${process.execPath}' '${standIn}' '${this.notes}' "$@" ;;
esac
exec '${process.execPath}' "$@"
`;
  }
}
