import fs from "node:fs";
import path from "node:path";
import { requireOrSkip } from "../require";
import { startClient, type Client } from "./client";
import type { Deployment, Setting } from "./deployment";
import { canRunMachine, startMachine, type Machine, type MachineOptions } from "./machine";
import { makeProject } from "./project";
import { Proxy } from "./proxy";

/** What a test has on the bench: a machine of its own behind a proxy of its own, and the client of the suite. */
export interface Bench extends Setting {
  proxy: Proxy;
  port: number;
}

export interface BenchHooks {
  /** A fresh machine, proxy and project for the test that calls it; taken away after it. */
  fresh(options?: MachineOptions): Promise<Bench>;
  /** Has a deployment ended after the test, whatever becomes of the test. */
  track(deployment: Deployment): Deployment;
}

/** Registers the hooks of a suite that deploys on the bench, and skips it with the reason where there can be none. */
export function useBench(): BenchHooks {
  let client: Client;
  let machines: Machine[] = [];
  let proxies: Proxy[] = [];
  let deployments: Deployment[] = [];
  let projects = 0;

  before(async function () {
    const reason = canRunMachine();
    requireOrSkip(this, "systemd", reason === undefined, reason ?? "");
    client = await startClient();
  });

  afterEach(async () => {
    for (const deployment of deployments.filter(({ running }) => running)) {
      deployment.signal("SIGKILL");
      await deployment.result();
    }
    await Promise.all([...proxies, ...machines].map((part) => part.stop()));
    machines = [];
    proxies = [];
    deployments = [];
  });

  after(async () => {
    await client?.stop();
  });

  return {
    async fresh(options) {
      projects += 1;
      const folder = path.join(client.folder, `project ${projects}`);
      fs.mkdirSync(folder);
      const [machine, project] = await Promise.all([startMachine(options), makeProject(folder)]);
      machines.push(machine);
      const proxy = await Proxy.start(machine);
      proxies.push(proxy);
      return { client, machine, project, proxy, port: proxy.port };
    },
    track(deployment) {
      deployments.push(deployment);
      return deployment;
    },
  };
}
