/**
 * A process that registers so many servers under the mock runtime, and prints the time from its start to the last
 * resource and the most memory that it had: `program.ts <servers|bare> <count>`. "bare" registers the same resources of
 * the providers with the values already known and without a component, which is the least that the SDK takes. With a
 * count of 0 it loads the SDK and nothing else.
 */
import { createRequire } from "node:module";
import type { Values } from "../support/mocks";

// Loaded as the program loads them, and only those that this run measures.
const load = createRequire(__filename);

const [, , kind = "servers", count = "1"] = process.argv;
let last = 0;
let resources = 0;

// Written at the end: only then is it known which resource was the last.
process.once("exit", () => {
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  const cpu = (userCPUTime + systemCPUTime) / 1000;
  process.stdout.write(JSON.stringify({ ms: last, cpu, mb: maxRSS / 1024, resources }));
});

interface Registration {
  type: string;
  name: string;
  inputs: Values;
}

async function mock(seen: (registration: Registration) => void): Promise<void> {
  const pulumi = load("@pulumi/pulumi") as typeof import("@pulumi/pulumi");
  const { cloud } = load("../support/cloud") as typeof import("../support/cloud");
  const answers = cloud();
  // Making keys is a provider's work.
  const makeKey = answers.resources["tls:index/privateKey:PrivateKey"]!;
  const key = makeKey("key", {});
  answers.resources["tls:index/privateKey:PrivateKey"] = () => ({ ...key });
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => {
        last = performance.now();
        resources += 1;
        const given = inputs as Values;
        seen({ type, name, inputs: given });
        return { id: `${name}-id`, state: { ...given, ...answers.resources[type]?.(name, given) } as object };
      },
      call: ({ token, inputs }) => answers.invokes[token]!(inputs as Values),
    },
    "pulumi-nixos",
    "bench",
    false,
  );
}

function server(at: number): void {
  const { ContinuousDeployment } = load("../../components/index") as typeof import("../../components/index");
  new ContinuousDeployment(`nixos-${at}`, {
    owner: "octo",
    repositoryName: `server-${at}`,
    repository: { githubPlan: "paid" },
  });
}

/** The providers' resources of one server, and then as many further times. */
async function bare(times: number): Promise<void> {
  const seen: Registration[] = [];
  await mock((registration) => seen.push(registration));
  server(0);
  await new Promise((resolve) => process.once("beforeExit", resolve));
  const parts = seen.filter(({ type }) => !type.startsWith("nixos:") && type !== "pulumi:pulumi:Stack");
  for (let at = 1; at <= times; at += 1) {
    for (const { type, name, inputs } of parts) new (classOf(type))(`${name}-${at}`, inputs);
  }
}

/** The SDK's class of a type such as `aws:ec2/instance:Instance`. */
function classOf(type: string): new (name: string, inputs: Values) => unknown {
  const [provider, module, name] = /^(\w+):(\w+)(?:\/\w+)?:(\w+)$/.exec(type)!.slice(1) as [string, string, string];
  const place = module === "index" ? `@pulumi/${provider}` : `@pulumi/${provider}/${module}`;
  return (load(place) as Record<string, new (name: string, inputs: Values) => unknown>)[name]!;
}

async function main(): Promise<void> {
  if (kind === "bare") return bare(Number(count));
  if (count === "0") {
    load("@pulumi/pulumi");
    last = performance.now();
    return;
  }
  await mock(() => undefined);
  for (let at = 0; at < Number(count); at += 1) server(at);
}

void main();
