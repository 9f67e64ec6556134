/**
 * A process that registers so many whole servers under the mock runtime, and prints the time from its start to the last
 * resource and the most memory that it had: `node --require tsx/cjs test/benchmark/program.ts <machines>`. With
 * "floor" it loads the SDK and nothing else.
 */
import { createRequire } from "node:module";
import type { Values } from "../support/mocks";

// Loaded as the program loads them, and only those that this run measures.
const load = createRequire(__filename);

const [, , machines = "1"] = process.argv;
let last = 0;

// Written when nothing is left to do: only then is it known which resource was the last.
process.once("beforeExit", () => {
  const mb = process.resourceUsage().maxRSS / 1024;
  process.stdout.write(JSON.stringify({ ms: last, mb, resources }));
});
let resources = 0;

function floor(): void {
  load("@pulumi/pulumi");
  last = performance.now();
}

async function servers(count: number): Promise<void> {
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
        return { id: `${name}-id`, state: { ...given, ...answers.resources[type]?.(name, given) } as object };
      },
      call: ({ token, inputs }) => answers.invokes[token]!(inputs as Values),
    },
    "pulumi-nixos",
    "bench",
    false,
  );
  const { ContinuousDeployment } = load("../../components/index") as typeof import("../../components/index");
  for (let at = 0; at < count; at += 1) {
    new ContinuousDeployment(`nixos-${at}`, {
      owner: "octo",
      repositoryName: `server-${at}`,
      repository: { plan: "paid" },
    });
  }
}

if (machines === "floor") floor();
else void servers(Number(machines));
