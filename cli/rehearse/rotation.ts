import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { ageIdentity } from "../../components/keys/age";
import type { RotateOptions } from "../secrets/rotate";
import { configureVersions, type SecretsCommands, VERSIONS } from "./secretsCommands";
import type { Run } from "./drivers/driver";
import { checkSystem, deployKeys, machineKey, publicHalf, type Rehearsed, update } from "./steps";
import { byName, changedByName, doneTo, only, TYPES } from "./records";

const SECRETS = {
  always: "after every step the machine's key opens the secrets that the machine has",
  end: "in the end the old key opens none of them",
};

/** Another key for the machine: by `npm run secrets -- rotate` where there is sops, else by the configuration alone. */
export async function rotateKeys(rehearsed: Rehearsed): Promise<string> {
  const { secretsCommands, verdicts, fakes } = rehearsed;
  const keeper = "missing" in secretsCommands ? undefined : await SecretsKeeper.begin(rehearsed, secretsCommands);
  const oldKey = machineKey(rehearsed);

  const to = async (versions: number[], options?: RotateOptions): Promise<[before: Run, run: Run]> => {
    if (keeper === undefined) configureVersions(rehearsed, versions);
    else await keeper.rotate(options);
    const runs = await installed(`versions ${JSON.stringify(versions)}`);
    assert.deepEqual(runs[1].outputs["keyVersions"], versions);
    return runs;
  };
  const installed = async (part: string): Promise<[before: Run, run: Run]> => {
    const before = rehearsed.run!;
    const run = await update(rehearsed, part);
    await keeper?.look(part, true);
    return [before, run];
  };
  /** Says of one update that it changes these inputs, that this is done, and nothing else. */
  const exactly = (what: string, [before, run]: [Run, Run], inputs: Record<string, string[]>, done: object) => {
    // The secrets are encrypted for others, which is another system as far as the system uses them.
    const another = run.outputs["derivation"] !== before.outputs["derivation"];
    verdicts.program(what, () => {
      const system = another ? { "nixos-deployment": ["environment", "triggers"] } : {};
      assert.deepEqual(changedByName(before, run), { ...inputs, ...system });
    });
    verdicts.engineOnly(`${what}; nothing else is done`, () => {
      const system = another ? { "nixos-deployment": "replace" } : {};
      assert.deepEqual(byName(doneTo(run)), { ...done, ...system });
    });
  };

  exactly("[1, 2] makes the new key", await to([1, 2]), { "nixos-key-2": ["(new)"] }, { "nixos-key-2": "create" });
  if (keeper !== undefined) {
    await keeper.rotate();
    exactly("the secrets are installed for both keys", await installed("secrets for both keys"), {}, {});
  }
  const used = await to([2, 1], { installed: true });
  exactly(
    "[2, 1] gives the new key to the machine, EC2 and GitHub",
    used,
    {
      nixos: ["userData"],
      "nixos-deployment": ["environment"],
      // Pulumi gives the new one a name of its own.
      "nixos-key-key-pair": ["keyName", "publicKey"],
      "nixos-repository-deploy-key": ["(gone)"],
      "nixos-repository-deploy-key-2": ["(new)"],
    },
    {
      nixos: "update",
      "nixos-deployment": "update",
      "nixos-key-key-pair": "replace",
      "nixos-repository-deploy-key": "delete",
      "nixos-repository-deploy-key-2": "create",
    },
  );
  verdicts.engineOnly("GitHub gets the new deploy key before it loses the old one", () => {
    const keys = used[1].operations.filter(({ type }) => type === TYPES.deployKey);
    assert.deepEqual(
      keys.map(({ operation }) => operation),
      ["create", "delete"],
    );
  });
  verdicts.program("GitHub lets in the new key and no other", () => {
    assert.notEqual(machineKey(rehearsed), oldKey);
    assert.deepEqual(deployKeys(fakes), [{ key: publicHalf(machineKey(rehearsed)), readOnly: true }]);
  });
  await checkLogin(rehearsed, used[1]);
  const dropped = await to([2]);
  exactly("[2] destroys the old key", dropped, { "nixos-key": ["(gone)"] }, { "nixos-key": "delete" });
  await checkSystem(rehearsed, dropped[1], "the machine runs the last system, deployed with the new key");

  if (keeper === undefined) {
    const { missing } = secretsCommands as { missing: string };
    Object.values(SECRETS).forEach((statement) => verdicts.notRun("secrets", statement, missing));
  } else await keeper.end(oldKey);
  return "versions [1] to [1, 2], [2, 1] and [2]";
}

async function checkLogin({ machines, verdicts, ...rehearsed }: Rehearsed, run: Run): Promise<void> {
  const statement = "the machine lets in the new key and no other";
  if ("noMachine" in machines) return verdicts.notRun("machine", statement, machines.noMachine);
  const keys = await machines.loginKeysOf(only(run, TYPES.instance).id!);
  verdicts.real("machine", statement, () => assert.deepEqual(keys, [publicHalf(machineKey(rehearsed))]));
}

/** Walks the rotation of the secrets, and looks after every step whether the machine could open them at that time. */
class SecretsKeeper {
  private constructor(
    private readonly rehearsed: Rehearsed,
    private readonly secretsCommands: SecretsCommands,
    private readonly values: Record<string, string>,
    /** The file as the machine has it. */
    private file: string,
    private readonly lockedOut: string[] = [],
  ) {}

  static async begin(rehearsed: Rehearsed, secretsCommands: SecretsCommands): Promise<SecretsKeeper> {
    const values = await secretsCommands.opened(secretsCommands.file, ageIdentity(machineKey(rehearsed)));
    assert.ok(values !== undefined, "the machine cannot open its secrets");
    return new SecretsKeeper(rehearsed, secretsCommands, values, secretsCommands.file);
  }

  async rotate(options?: RotateOptions): Promise<void> {
    await this.secretsCommands.rotate(options);
    await this.look(`before versions ${this.rehearsed.config[VERSIONS]}`, false);
  }

  /** @param installed whether the machine has got what lies in the repository */
  async look(when: string, installed: boolean): Promise<void> {
    if (installed) this.file = this.secretsCommands.file;
    const values = await this.secretsCommands.opened(this.file, ageIdentity(machineKey(this.rehearsed)));
    if (!isDeepStrictEqual(values, this.values)) this.lockedOut.push(when);
  }

  async end(oldKey: string): Promise<void> {
    const { verdicts } = this.rehearsed;
    const opened = await this.secretsCommands.opened(this.secretsCommands.file, ageIdentity(oldKey));
    const problems = await this.secretsCommands.problems();
    verdicts.real("secrets", SECRETS.always, () => assert.deepEqual(this.lockedOut, []));
    verdicts.real("secrets", SECRETS.end, () => {
      assert.equal(opened, undefined);
      assert.deepEqual(problems, []);
    });
  }
}
