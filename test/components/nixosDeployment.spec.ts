/**
 * NixosDeployment against mocks: how it runs its two programs, what it tells them, and what triggers it.
 * Cannot prove: that the programs do their work (test/deploy and test/system run them), or that the engine replaces the
 * command when a trigger changes (the rehearsal with an engine does).
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { NixosDeployment, type NixosDeploymentArgs } from "../../components/index";
import { ageRecipient } from "../../components/keys/age";
import { awaited, awaitedFacts } from "../support/awaited";
import { cloud, DERIVATION, SYSTEM } from "../support/cloud";
import { newKey } from "../../cli/rehearse/keys";
import { cloudResources, only, plainTextsOf, refusal, run, table, type Values } from "../support/mocks";
import { secret, UNKNOWN } from "../support/wire";

const COMMAND = "command:local:Command";
const login = newKey();
const machineKey = newKey();
const hostPublicKey = newKey().publicKeyOpenssh.trim();
const base: NixosDeploymentArgs = {
  host: "192.0.2.7",
  hostPublicKey,
  loginKey: login.privateKeyOpenssh,
  instanceId: "i-1",
};

function deployment(args: Partial<NixosDeploymentArgs> = {}, preview = false, answers = cloud()) {
  return run(answers, () => new NixosDeployment("install", { ...base, ...args }), preview);
}

async function inputsOf(args: Partial<NixosDeploymentArgs> = {}): Promise<Values> {
  return only((await deployment(args)).resources, COMMAND).inputs;
}

async function environmentOf(args: Partial<NixosDeploymentArgs> = {}): Promise<Record<string, unknown>> {
  return (await inputsOf(args))["environment"] as Record<string, unknown>;
}

async function evaluationOf(args: Partial<NixosDeploymentArgs> = {}): Promise<Values> {
  const { invokes } = await deployment(args);
  assert.equal(invokes.length, 1);
  return invokes[0]!.args["environment"] as Values;
}

describe("NixosDeployment", () => {
  it("registers itself and one command, its child", async () => {
    assert.deepEqual(table((await deployment()).resources), [
      "command:local:Command install in install",
      "nixos:index:NixosDeployment install in -",
    ]);
  });

  it("runs its program with node, by a path that is the same in every checkout", async () => {
    const { interpreter, create } = await inputsOf();
    assert.deepEqual(interpreter, ["node"]);
    assert.equal(create, "components/deploy/deploy.mjs");
    assert.ok(existsSync(create));
  });

  it("does nothing when it changes in place or is destroyed", async () => {
    const inputs = await inputsOf();
    for (const absent of ["update", "delete", "stdin", "dir"]) assert.ok(!(absent in inputs), absent);
  });

  it("tells its program everything by environment, and only the login key is secret", async () => {
    assert.deepEqual(await environmentOf(), {
      DEPLOY_HOST: "192.0.2.7",
      DEPLOY_PORT: "22",
      DEPLOY_HOST_KEY: hostPublicKey,
      DEPLOY_PRIVATE_KEY: secret(login.privateKeyOpenssh),
      DEPLOY_MACHINE_PUBLIC_KEY: "",
      DEPLOY_AGE_RECIPIENT: ageRecipient(login.publicKeyOpenssh),
      DEPLOY_FLAKE: "path:./nix#default",
      DEPLOY_DERIVATION: DERIVATION,
      DEPLOY_BUILD_ON: "host",
      DEPLOY_SUBSTITUTE: "true",
      DEPLOY_CONFIRM_SECONDS: "60",
      DEPLOY_SWITCH_SECONDS: "600",
      DEPLOY_WAIT_SECONDS: "600",
      DEPLOY_SILENT_SECONDS: "7200",
      DEPLOY_ALLOW_DIRTY: "false",
      DEPLOY_ALLOW_FAILED_UNITS: "false",
      DEPLOY_EXTRA_ARGUMENTS: "[]",
      DEPLOY_REPOSITORY: "",
    });
  });

  it("passes every choice on", async () => {
    const environment = await environmentOf({
      sshPort: 2222,
      machinePublicKey: machineKey.publicKeyOpenssh.trim(),
      flake: "path:./nix#web",
      buildOn: "builder@192.0.2.9",
      substitute: false,
      confirmSeconds: 90,
      switchSeconds: 900,
      waitSeconds: 1200,
      silentSeconds: 14400,
      allowDirty: true,
      allowFailedUnits: true,
      extraArguments: ["--show-trace", pulumi.output("-v")],
      repository: "octo/server",
    });
    assert.deepEqual(environment, {
      DEPLOY_HOST: "192.0.2.7",
      DEPLOY_PORT: "2222",
      DEPLOY_HOST_KEY: hostPublicKey,
      DEPLOY_PRIVATE_KEY: secret(login.privateKeyOpenssh),
      DEPLOY_MACHINE_PUBLIC_KEY: machineKey.publicKeyOpenssh.trim(),
      DEPLOY_AGE_RECIPIENT: ageRecipient(machineKey.publicKeyOpenssh),
      DEPLOY_FLAKE: "path:./nix#web",
      DEPLOY_DERIVATION: DERIVATION,
      DEPLOY_BUILD_ON: "builder@192.0.2.9",
      DEPLOY_SUBSTITUTE: "false",
      DEPLOY_CONFIRM_SECONDS: "90",
      DEPLOY_SWITCH_SECONDS: "900",
      DEPLOY_WAIT_SECONDS: "1200",
      DEPLOY_SILENT_SECONDS: "14400",
      DEPLOY_ALLOW_DIRTY: "true",
      DEPLOY_ALLOW_FAILED_UNITS: "true",
      DEPLOY_EXTRA_ARGUMENTS: '["--show-trace","-v"]',
      DEPLOY_REPOSITORY: "octo/server",
    });
  });

  it("keeps both streams of the command secret and shows progress only", async () => {
    const command = only((await deployment()).resources, COMMAND);
    assert.deepEqual(command.options.additionalSecretOutputs, ["stdout", "stderr"]);
    assert.equal(command.inputs["logging"], "stderr");
    assert.equal(command.inputs["addPreviousOutputInEnv"], false);
  });

  it("is triggered by derivation, machine, host key and arguments", async () => {
    const { triggers } = await inputsOf({ extraArguments: ["--show-trace"] });
    assert.deepEqual(triggers, [DERIVATION, "i-1", hostPublicKey, '["--show-trace"]']);
  });

  it("is triggered by what else it is told", async () => {
    const { triggers } = await inputsOf({ triggers: ["a", pulumi.output("b")] });
    assert.deepEqual(triggers, [DERIVATION, "i-1", hostPublicKey, "[]", "a", "b"]);
  });

  it("is not triggered by address, login key, or time limits", async () => {
    const other = { host: "192.0.2.8", loginKey: newKey().privateKeyOpenssh, confirmSeconds: 90, waitSeconds: 60 };
    assert.deepEqual((await inputsOf(other))["triggers"], (await inputsOf())["triggers"]);
  });

  it("evaluates the flake once, quietly, by a path that is the same in every checkout", async () => {
    const { invokes } = await deployment();
    assert.deepEqual(invokes, [
      {
        token: "command:local:run",
        args: {
          interpreter: ["node"],
          command: "components/deploy/evaluate.mjs",
          environment: {
            EVALUATE_FLAKE: "path:./nix#default",
            EVALUATE_MODE: "nix",
            EVALUATE_CACHE: "true",
            EVALUATE_SILENT_SECONDS: "7200",
          },
          logging: "none",
          addPreviousOutputInEnv: false,
        },
        provider: "",
      },
    ]);
    assert.ok(existsSync("components/deploy/evaluate.mjs"));
  });

  it("evaluates the flake that it installs", async () => {
    assert.equal((await evaluationOf({ flake: "path:./nix#web" }))["EVALUATE_FLAKE"], "path:./nix#web");
  });

  it("takes a hash of the folder instead where it must not evaluate", async () => {
    assert.equal((await evaluationOf({ evaluate: false }))["EVALUATE_MODE"], "hash");
  });

  it("lets the evaluation be silent for as long as a build", async () => {
    assert.equal((await evaluationOf({ silentSeconds: 14400 }))["EVALUATE_SILENT_SECONDS"], "14400");
  });

  it("evaluates afresh where it must not use the cache", async () => {
    assert.equal((await evaluationOf({ evaluationCache: false }))["EVALUATE_CACHE"], "false");
  });

  it("evaluates once for all machines of one configuration, and each configuration by itself", async () => {
    const flakes = ["path:./nix#web", "path:./nix#web", "path:./nix#mail", pulumi.output("path:./nix#web")];
    const deployments = () =>
      flakes.map((flake, at) => new NixosDeployment(`install-${at}`, { ...base, flake }).derivation);
    const evaluated = ({ invokes }: { invokes: { args: Values }[] }) =>
      invokes.map(({ args }) => (args["environment"] as Values)["EVALUATE_FLAKE"] as string).sort();
    const first = await run(cloud(), deployments);
    // An output may become another flake, so it is asked for by itself.
    assert.deepEqual(evaluated(first), ["path:./nix#mail", "path:./nix#web", "path:./nix#web"]);
    assert.deepEqual(
      await Promise.all(first.result.map((derivation) => awaited(derivation))),
      Array(4).fill(DERIVATION),
    );
    assert.deepEqual(evaluated(await run(cloud(), deployments)), evaluated(first), "a second run asks again");
  });

  it("does not take a hash for a derivation, nor the cache for an evaluation, of another deployment", async () => {
    const ways = [{}, { evaluate: false }, { evaluationCache: false }];
    const { invokes } = await run(cloud(), () =>
      ways.map((way, at) => new NixosDeployment(`as-${at}`, { ...base, ...way })),
    );
    const asked = invokes.map(({ args }) => args["environment"] as Values);
    assert.deepEqual(
      asked.map((environment) => `${environment["EVALUATE_MODE"]} ${environment["EVALUATE_CACHE"]}`).sort(),
      ["hash true", "nix false", "nix true"],
    );
  });

  it("evaluates in a preview too, and shows the derivation there", async () => {
    const { invokes, result } = await deployment({}, true);
    assert.equal(invokes.length, 1);
    assert.equal(await awaited(result.derivation), DERIVATION);
  });

  it("does not know in a preview what will run", async () => {
    const { result } = await deployment({}, true);
    assert.equal((await awaitedFacts(result.systemPath)).known, false);
    assert.equal((await awaitedFacts(result.deployedHost)).known, false);
  });

  it("registers the same in a preview with an unknown machine", async () => {
    const unknown = () => pulumi.output(Promise.resolve(pulumi.unknown as string));
    const unknowns = { host: unknown(), hostPublicKey: unknown(), loginKey: unknown(), instanceId: unknown() };
    const preview = await deployment(unknowns, true);
    assert.deepEqual(table(preview.resources), table((await deployment()).resources));
    const { triggers } = only(preview.resources, COMMAND).inputs;
    assert.deepEqual(triggers, [DERIVATION, UNKNOWN, UNKNOWN, "[]"]);
  });

  it("registers exactly its outputs, none of them secret", async () => {
    const { resources } = await deployment();
    assert.deepEqual(only(resources, "nixos:index:NixosDeployment").outputs, {
      derivation: DERIVATION,
      systemPath: SYSTEM,
      deployedHost: "192.0.2.7",
    });
  });

  it("reads the last line of its program's output", async () => {
    const answers = cloud();
    answers.resources[COMMAND] = () => ({ stdout: `something else\n${JSON.stringify({ systemPath: SYSTEM })}\n` });
    const { result } = await deployment({}, false, answers);
    assert.equal(await awaited(result.systemPath), SYSTEM);
  });

  it("fails when its program's output is something else", async () => {
    const answers = cloud();
    answers.resources[COMMAND] = () => ({ stdout: "" });
    await assert.rejects(deployment({}, false, answers), SyntaxError);
  });

  it("gives no host to deploy after when the deployment fails", async () => {
    const answers = cloud();
    answers.resources[COMMAND] = () => {
      throw new Error("exit status 1");
    };
    const { error, resources } = await refusal(answers, () => {
      const first = new NixosDeployment("first", base);
      new NixosDeployment("second", { ...base, host: first.deployedHost });
    });
    assert.match(error.message, /exit status 1/);
    assert.deepEqual(cloudResources(resources), []);
  });

  it("fails when the evaluation does", async () => {
    const answers = cloud();
    answers.invokes["command:local:run"] = () => {
      throw new Error("error: undefined variable 'pkgz'");
    };
    await assert.rejects(deployment({}, false, answers), /undefined variable 'pkgz'/);
  });

  it("keeps a plain private key secret in its own inputs", async () => {
    const { resources } = await deployment();
    const { loginKey } = only(resources, "nixos:index:NixosDeployment").inputs;
    assert.deepEqual(loginKey, secret(login.privateKeyOpenssh));
  });

  it("shows no private key in any plain text", async () => {
    const texts = plainTextsOf(await deployment());
    assert.ok(texts.includes(hostPublicKey));
    assert.deepEqual(
      texts.filter((text) => text.includes("PRIVATE KEY")),
      [],
    );
  });

  it("lets two of them live in one stack", async () => {
    const { resources } = await run(cloud(), () => [new NixosDeployment("a", base), new NixosDeployment("b", base)]);
    assert.equal(cloudResources(resources).length, 2);
  });

  const bad: [string, Partial<NixosDeploymentArgs>, string][] = [
    ["a flake without #", { flake: "path:./nix" }, 'flake: got "path:./nix"; allowed: one flake'],
    ["a flake with two #", { flake: "path:./nix#a#b" }, 'flake: got "path:./nix#a#b"; allowed: one flake'],
    ["an empty attribute", { flake: "path:./nix#" }, 'flake: got "path:./nix#"; allowed: one flake'],
    ["a flake with a command", { flake: "path:./$(id)#x" }, 'flake: got "path:./$(id)#x"; allowed: one flake'],
    ["a host that is an option", { host: "-oProxyCommand=id" }, 'host: got "-oProxyCommand=id"; allowed: a DNS name'],
    ["port 0", { sshPort: 0 }, "sshPort: got 0; allowed: a TCP port"],
    ["port 70000", { sshPort: 70000 }, "sshPort: got 70000; allowed: a TCP port"],
    ["a host key of another type", { hostPublicKey: "ssh-rsa AAAA" }, 'hostPublicKey: got "ssh-rsa AAAA"'],
    ["a machine key of another type", { machinePublicKey: "ssh-rsa A" }, 'machinePublicKey: got "ssh-rsa A"'],
    ["localhost to build on", { buildOn: "localhost" }, 'buildOn: got "localhost"; allowed: "host"'],
    ["too short a time", { confirmSeconds: 1 }, "confirmSeconds: got 1; allowed: a whole number of seconds"],
    [
      "two words as one argument",
      { extraArguments: ["-v", "a b"] },
      'extraArguments[1]: got "a b"; allowed: an argument of',
    ],
    [
      "a login key with CRLF",
      { loginKey: login.privateKeyOpenssh.replaceAll("\n", "\r\n") },
      "loginKey: got a key with carriage returns (CRLF); allowed: an ed25519 private key",
    ],
  ];
  for (const [what, args, message] of bad) {
    it(`refuses ${what} before anything runs`, async () => {
      const program = () => new NixosDeployment("install", { ...base, ...args });
      const { error, resources, invokes } = await refusal(cloud(), program);
      assert.ok(pulumi.ResourceError.isInstance(error));
      assert.ok(error.message.startsWith(`NixosDeployment "install" has 1 problem:\n  - ${message}`), error.message);
      assert.deepEqual(cloudResources(resources), []);
      assert.deepEqual(invokes, []);
    });
  }

  it("deploys nothing when an output turns out bad", async () => {
    const program = () => new NixosDeployment("install", { ...base, host: pulumi.output("a b") });
    const { error, resources } = await refusal(cloud(), program);
    assert.match(error.message, /host: got "a b"; allowed: a DNS name/);
    assert.deepEqual(cloudResources(resources), []);
  });
});
