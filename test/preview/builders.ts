interface StepOptions {
  before?: Record<string, unknown>;
  after?: Record<string, unknown>;
  detailedDiff?: Record<string, { kind: string; inputDiff: boolean }>;
  replaceReasons?: string[];
  type?: string;
}

/** One step as `pulumi preview --json` writes it. */
export function step(op: string, name: string, options: StepOptions = {}): Record<string, unknown> {
  const { before, after, detailedDiff = null, replaceReasons, type = "aws:s3/bucket:Bucket" } = options;
  const urn = `urn:pulumi:stack::project::${type}::${name}`;
  const state = (inputs: Record<string, unknown>) => ({ urn, custom: true, type, inputs, outputs: {} });
  return {
    op,
    urn,
    ...(before === undefined ? {} : { oldState: state(before) }),
    ...(after === undefined ? {} : { newState: state(after) }),
    detailedDiff,
    ...(replaceReasons === undefined ? {} : { replaceReasons }),
  };
}

/** A whole preview as `pulumi preview --json` writes it. */
export function digestOf(steps: unknown[], diagnostics: unknown[] = []): string {
  return JSON.stringify({ config: {}, steps, diagnostics, duration: 1, changeSummary: {} }, null, 4);
}
