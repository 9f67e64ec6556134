import type { Inputs } from "./deployment";
import type { Bench } from "./hooks";
import type { MachineOptions } from "./machine";
import { activations } from "./state";

/**
 * A phase of a deployment, to interrupt it or to break its link there. It is recognized by what happens on the machine
 * or the client, not by what the deployment prints.
 */
export interface Phase {
  /** The system that makes the phase long enough to be met. */
  attribute: string;
  machine?: MachineOptions;
  inputs?: Inputs;
  /** Done before the deployment starts: makes the phase longer. */
  prepare?(bench: Bench): void;
  /** Whether the deployment is in this phase. */
  reached(bench: Bench): Promise<boolean>;
}

/** In the order in which a deployment goes through them. */
export const phases: Record<string, Phase> = {
  evaluating: {
    attribute: "slowEvaluation",
    reached: ({ client }) => Promise.resolve(client.processes().some((line) => /^\S*nix .*\beval\b/.test(line))),
  },
  copying: {
    attribute: "default",
    inputs: { DEPLOY_BUILD_ON: "local" },
    prepare: ({ proxy }) => (proxy.delayMilliseconds = 100),
    reached: ({ client }) => Promise.resolve(client.processes().some((line) => /nix-copy-closure/.test(line))),
  },
  building: {
    attribute: "slowBuild",
    reached: async ({ machine }) => (await machine.run("pgrep -x sleep")).code === 0,
  },
  switching: {
    attribute: "slowActivation",
    reached: async ({ machine }) => (await activations(machine)).length > 0,
  },
  confirming: {
    attribute: "default",
    prepare: ({ proxy }) => (proxy.delayMilliseconds = 100),
    reached: async ({ machine }) => {
      const state = await machine.output("cat /run/nixos-deploy/guard/state 2>/dev/null || true");
      return state.startsWith("switched");
    },
  },
};
