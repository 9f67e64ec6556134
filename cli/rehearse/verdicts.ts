/**
 * `program`: about what the program asks for. `engine`: about what an engine makes of it, so only an engine can tell.
 * `machine`: about a real machine on this computer. `secrets`: about the real sops and age. `story`: about the daily
 * life with a repository.
 */
export type Subject = "program" | "engine" | "machine" | "secrets" | "pullRequests";

/** `not checked`: there was no engine. `not run`: this computer lacks something that the check needs. */
export type Outcome = "held" | "FAILED" | "not checked" | "not run";

export interface Verdict {
  step: string;
  subject: Subject;
  statement: string;
  outcome: Outcome;
  /** Why it failed, or why it could not be tried. */
  reason?: string;
}

/** Collects the verdicts of a rehearsal. A check is a function that throws when its statement does not hold. */
export class Verdicts {
  readonly all: Verdict[] = [];
  private step = "";

  /** @param engine whether a real engine drives the program */
  constructor(private readonly engine: boolean) {}

  /** Names the step that the next checks belong to. */
  begin(step: string): void {
    this.step = step;
  }

  program(statement: string, check: () => void): void {
    this.judge("program", statement, check);
  }

  /** Without an engine the statement is not checked, and never said to hold. */
  engineOnly(statement: string, check: () => void): void {
    if (this.engine) this.judge("engine", statement, check);
    else this.note("engine", statement, "not checked", "no engine");
  }

  /** About what some computers cannot have: see `notRun`. */
  real(subject: Exclude<Subject, "program" | "engine">, statement: string, check: () => void): void {
    this.judge(subject, statement, check);
  }

  notRun(subject: Subject, statement: string, reason: string): void {
    this.note(subject, statement, "not run", reason);
  }

  /** A step that could not be finished. */
  failed(statement: string, error: unknown): void {
    this.note("program", statement, "FAILED", messageOf(error));
  }

  get failures(): Verdict[] {
    return this.all.filter(({ outcome }) => outcome === "FAILED");
  }

  private judge(subject: Subject, statement: string, check: () => void): void {
    try {
      check();
      this.all.push({ step: this.step, subject, statement, outcome: "held" });
    } catch (error) {
      this.note(subject, statement, "FAILED", messageOf(error));
    }
  }

  private note(subject: Subject, statement: string, outcome: Outcome, reason: string): void {
    this.all.push({ step: this.step, subject, statement, outcome, reason });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
