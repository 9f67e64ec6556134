import type { Provider } from "../rehearsal/emulators/provider";
import { Operations } from "../rehearsal/emulators/operations";
import type { Properties } from "../rehearsal/emulators/values";

/** A change that the engine asks an emulated provider for. */
export interface Call {
  action: "create" | "update" | "delete";
  type: string;
}

/** A call that stands still: the engine waits for its answer. */
export interface HeldCall {
  /** Resolves when the engine has asked. */
  reached: Promise<void>;
  /** Lets the answer go. */
  release: () => void;
}

type Moment = "before" | "after";

/** Sees every change that the engine asks the emulated providers for, and can hold or refuse one. */
export class Watch {
  private readonly holds: { call: Call; moment: Moment; reached: () => void; until: Promise<void> }[] = [];
  private readonly refusals: { call: Call; message: string }[] = [];

  /**
   * Holds the next such call, `before` or `after` the service carries it out.
   * One that is held before and then let go is carried out, unless `lost`: the request never arrived.
   */
  hold(call: Call, moment: Moment, { lost = false } = {}): HeldCall {
    let reached = () => {};
    let release = () => {};
    const reaching = new Promise<void>((resolve) => (reached = resolve));
    const until = new Promise<void>((resolve, reject) => {
      release = lost ? () => reject(new Error("the request was lost")) : resolve;
    });
    until.catch(() => {});
    this.holds.push({ call, moment, reached, until });
    return { reached: reaching, release };
  }

  /** Has the service refuse the next such call. */
  refuse(call: Call, message: string): void {
    this.refusals.push({ call, message });
  }

  /** Carries a call out, unless it is to be held or refused. */
  async carryOut<T>(call: Call, work: () => Promise<T>): Promise<T> {
    const refused = take(this.refusals, (other) => same(other.call, call));
    if (refused !== undefined) throw new Error(refused.message);
    await this.halt(call, "before");
    const result = await work();
    await this.halt(call, "after");
    return result;
  }

  private async halt(call: Call, moment: Moment): Promise<void> {
    const held = take(this.holds, (other) => other.moment === moment && same(other.call, call));
    if (held === undefined) return;
    held.reached();
    await held.until;
  }
}

/** The operations of an emulated provider, under watch. */
export class WatchedOperations extends Operations {
  constructor(
    provider: Provider,
    private readonly watch: Watch,
  ) {
    super(provider);
  }

  override create(type: string, name: string, inputs: Properties, preview: boolean) {
    const work = () => super.create(type, name, inputs, preview);
    return preview ? work() : this.watch.carryOut({ action: "create", type }, work);
  }

  override update(
    type: string,
    id: string,
    state: Properties,
    oldInputs: Properties,
    inputs: Properties,
    preview: boolean,
  ) {
    const work = () => super.update(type, id, state, oldInputs, inputs, preview);
    return preview ? work() : this.watch.carryOut({ action: "update", type }, work);
  }

  override delete(type: string, id: string, state: Properties) {
    return this.watch.carryOut({ action: "delete", type }, () => super.delete(type, id, state));
  }
}

function same(one: Call, other: Call): boolean {
  return one.action === other.action && one.type === other.type;
}

/** Takes the first that fits out of a list. */
function take<T>(list: T[], fits: (entry: T) => boolean): T | undefined {
  const at = list.findIndex(fits);
  return at < 0 ? undefined : list.splice(at, 1)[0];
}
