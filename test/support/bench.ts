import fs from "node:fs";
import path from "node:path";
import { requireOrSkip } from "../require";
import { startClient } from "../../cli/rehearse/machine/client";
import type { Deployment, Setting } from "../../cli/rehearse/machine/deployment";
import { canRunMachine, startMachine, type MachineOptions } from "../../cli/rehearse/machine/machine";
import { makeProject } from "../../cli/rehearse/machine/project";
import { Proxy } from "../../cli/rehearse/machine/proxy";

/** What a test has on the bench: a client, a machine behind a proxy and a project, all its own. */
export interface Bench extends Setting {
  proxy: Proxy;
  port: number;
}

/** Given to a test; what it has got from here is taken away after it. */
export interface BenchTools {
  fresh(options?: MachineOptions): Promise<Bench>;
  /** Has a deployment ended after the test, whatever becomes of the test. */
  track(deployment: Deployment): Deployment;
}

export type BenchTest = (tools: BenchTools) => Promise<void>;

/**
 * Registers the hooks of a suite that deploys on the bench, and skips it with the reason where there can be none.
 * Returns what the suite uses as its `it`.
 *
 * @param jobs how many tests of the suite run at a time. They have nothing in common and spend most of their time
 *   waiting; one after the other they would take three times as long. BENCH_JOBS=1 runs a single one, with --grep.
 */
export function useBench(jobs = Number(process.env["BENCH_JOBS"] ?? 4)): (title: string, test: BenchTest) => void {
  const tests: { test: BenchTest; outcome?: Promise<void> }[] = [];
  let running = 0;

  // Those after the one that mocha waits for are begun before their turn (and so before hooks of their suite): unless
  // they are to run one at a time.
  const begin = (from: number) => {
    for (const entry of tests.slice(from)) {
      if (entry.outcome === undefined && running < jobs) {
        running += 1;
        entry.outcome = runTest(entry.test).finally(() => (running -= 1));
        // Reported when it is its turn.
        entry.outcome.catch(() => undefined).finally(() => jobs > 1 && begin(from));
      }
    }
  };

  before(function () {
    const reason = canRunMachine();
    requireOrSkip(this, "systemd", reason === undefined, reason ?? "");
  });

  after(async () => {
    await Promise.allSettled(tests.flatMap(({ outcome }) => outcome ?? []));
  });

  return (title, test) => {
    const index = tests.push({ test }) - 1;
    it(title, async function () {
      begin(index);
      await tests[index]?.outcome;
    });
  };
}

async function runTest(test: BenchTest): Promise<void> {
  const parts: { stop(): Promise<void> }[] = [];
  const deployments: Deployment[] = [];
  try {
    await test({
      async fresh(options) {
        const client = await startClient();
        parts.push(client);
        const folder = path.join(client.folder, "project");
        fs.mkdirSync(folder);
        const machine = await startMachine(options);
        parts.push(machine);
        const proxy = await Proxy.start(machine);
        parts.push(proxy);
        return { client, machine, proxy, port: proxy.port, project: await makeProject(folder) };
      },
      track(deployment) {
        deployments.push(deployment);
        return deployment;
      },
    });
  } finally {
    for (const deployment of deployments.filter((each) => each.running)) {
      deployment.signal("SIGKILL");
      await deployment.result();
    }
    await Promise.all(parts.map((part) => part.stop()));
  }
}
