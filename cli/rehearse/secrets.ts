import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { ageIdentity, ageRecipient } from "../../components/keys/age";
import { newKey } from "./keys";
import { run } from "./processes";
import { machineKey, type Rehearsed } from "./steps";
import { inProject } from "./project";

const STORED = {
  stays: "a secret that somebody adds with sops itself stays as it is",
  opens: "the machine's key opens them all, another key opens none",
  check: "npm run secrets -- check finds nothing wrong",
  refused: "a deployment refuses secrets that the machine cannot open",
};

/** The first secrets: one of each kind. Returns what came of it, in a few words. */
export async function storeSecrets(rehearsed: Rehearsed, environment: NodeJS.ProcessEnv): Promise<string> {
  const { verdicts, secretsCommands } = rehearsed;
  if ("missing" in secretsCommands) {
    Object.values(STORED).forEach((statement) => verdicts.notRun("secrets", statement, secretsCommands.missing));
    return "not run";
  }
  await secretsCommands.init();
  const [first, byHand, last] = [random(), random(), random()];
  await secretsCommands.set("first", first);
  await secretsCommands.setByHand("by-hand", byHand);
  const before = lineOf(secretsCommands.file, "by-hand");
  await secretsCommands.set("last", last);
  verdicts.real("secrets", STORED.stays, () => assert.equal(lineOf(secretsCommands.file, "by-hand"), before));

  const opened = await secretsCommands.opened(secretsCommands.file, ageIdentity(machineKey(rehearsed)));
  const stranger = newKey();
  const strangers = await secretsCommands.opened(secretsCommands.file, ageIdentity(stranger.privateKeyOpenssh));
  verdicts.real("secrets", STORED.opens, () => {
    assert.deepEqual(opened, { first, "by-hand": byHand, last });
    assert.equal(strangers, undefined);
  });
  const problems = await secretsCommands.problems();
  verdicts.real("secrets", STORED.check, () => assert.deepEqual(problems, []));

  const refusal = await secretsCommands.withForeignFile(ageRecipient(stranger.publicKeyOpenssh), () =>
    run(process.execPath, [inProject("components/deploy/deploy.mjs")], {
      cwd: rehearsed.project,
      env: { ...environment, ...rehearsed.deployments.at(-1)!.environment },
    }),
  );
  verdicts.real("secrets", STORED.refused, () => {
    assert.notEqual(refusal.code, 0);
    assert.match(refusal.stderr, /secrets\.yaml: the machine cannot open it/);
  });
  return "two stored, one added with sops itself, opened";
}

/** A line of a text, by the name that it begins with. */
function lineOf(text: string, name: string): string {
  return text.split("\n").find((line) => line.startsWith(`${name}:`)) ?? assert.fail(`there is no ${name}`);
}

function random(): string {
  return randomBytes(9).toString("base64url");
}
