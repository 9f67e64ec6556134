import type { Inputs } from "../../cli/rehearse/machine/deployment";
import type { Bench } from "./bench";
import type { MachineOptions } from "../../cli/rehearse/machine/machine";
import { activations, filesWithKey } from "../../cli/rehearse/machine/state";

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
  /** Whether the deployment is in this phase; asked again and again from the start. */
  reached(bench: Bench): Promise<boolean>;
}

/** Those with a machine to speak to, in the order in which a deployment goes through them. */
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
    attribute: "slowActivation",
    reached: async ({ machine, proxy }) => {
      // From the switch on, so that the confirmation takes a second or two.
      if ((await activations(machine)).length > 0) proxy.delayMilliseconds = 100;
      const state = await machine.output("cat /run/nixos-deploy/guard/state 2>/dev/null || true");
      return state.startsWith("switched");
    },
  },
};

/** All of them: those, after the wait for the machine. */
export const allPhases: Record<string, Phase> = {
  "waiting for the machine": {
    attribute: "default",
    machine: { sshd: false },
    reached: async (bench) => (await filesWithKey(bench)).length > 0 && bench.proxy.connections > 0,
  },
  ...phases,
};

/** The machine is up and the link as good as any, whatever the phase needed. */
export async function afterPhase({ machine, proxy }: Bench): Promise<void> {
  proxy.delayMilliseconds = 0;
  await machine.output("systemctl start sshd.service");
}
