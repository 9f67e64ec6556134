import { Operations } from "../../cli/rehearse/emulators/operations";
import type { Provider } from "../../cli/rehearse/emulators/provider";
import type { Properties } from "../../cli/rehearse/emulators/values";

type Action = "create" | "update" | "delete";
type Moment = "before" | "after";

/** A call that stands still: the engine waits for its answer. */
export interface HeldCall {
  /** Resolves when the engine has asked. */
  reached: Promise<void>;
  /** The type of the resource that it asked for. */
  type: () => string;
  /** Lets it go on. */
  release: () => void;
  /** Lets it end as if it had never arrived. */
  lose: () => void;
}

interface Hold {
  action: Action;
  types: string[];
  moment: Moment;
  reach: (type: string) => void;
  until: Promise<void>;
}

/** Sees every change that the engine asks the emulated providers for, and can hold or refuse one. */
export class Watch {
  private readonly holds: Hold[] = [];
  private readonly refusals: { action: Action; types: string[]; message: string }[] = [];

  /** Holds the next such call to any of the types, before or after the service carries it out. */
  hold(action: Action, types: string[], moment: Moment): HeldCall {
    let type = "";
    let reach: Hold["reach"] = () => {};
    let [release, lose] = [() => {}, () => {}];
    const reached = new Promise<void>((resolve) => {
      reach = (reachedType) => {
        type = reachedType;
        resolve();
      };
    });
    const until = new Promise<void>((resolve, reject) => {
      [release, lose] = [resolve, () => reject(new Error("the request was lost"))];
    });
    until.catch(() => {});
    this.holds.push({ action, types: [...types], moment, reach, until });
    return { reached, type: () => type, release, lose };
  }

  /** Has the service refuse the next such call. */
  refuse(action: Action, type: string, message: string): void {
    this.refusals.push({ action, types: [type], message });
  }

  /** Carries a call out, unless it is to be held or refused. */
  async carryOut<T>(action: Action, type: string, work: () => Promise<T>): Promise<T> {
    const concerns = (one: { action: Action; types: string[] }) => one.action === action && one.types.includes(type);
    const halt = async (moment: Moment) => {
      const held = take(this.holds, (one) => one.moment === moment && concerns(one));
      held?.reach(type);
      await held?.until;
    };
    const refused = take(this.refusals, concerns);
    if (refused !== undefined) throw new Error(refused.message);
    await halt("before");
    const result = await work();
    await halt("after");
    return result;
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
    return preview ? work() : this.watch.carryOut("create", type, work);
  }

  override update(...call: Parameters<Operations["update"]>) {
    const work = () => super.update(...call);
    const [type, , , , , preview] = call;
    return preview ? work() : this.watch.carryOut("update", type, work);
  }

  override delete(type: string, id: string, state: Properties) {
    return this.watch.carryOut("delete", type, () => super.delete(type, id, state));
  }
}

/** Takes the first that fits out of a list. */
function take<T>(list: T[], fits: (entry: T) => boolean): T | undefined {
  const at = list.findIndex(fits);
  return at < 0 ? undefined : list.splice(at, 1)[0];
}
