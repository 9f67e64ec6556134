// The rehearsal under a real engine and with real machines, and its checks on programs with faults: a check that
// cannot fail would prove nothing.
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { canRunMachine } from "../../cli/rehearse/machine";
import { Desk } from "../../cli/rehearse/desk";
import { finished } from "../../cli/rehearse/processes";
import { PARTS, ROOT } from "../../cli/rehearse/project";
import type { Rehearsal } from "../../cli/rehearse/rehearse";
import { requireOrSkip } from "../require";
import { requireEngine } from "../support/engine";
import { pathWithout } from "../support/without";

/** Programs with one fault each, put into the program as a transformation of its resources, and what must not hold. */
const FAULTS: Record<string, { transformation: string; subject: string; statement: RegExp }> = {
  "a newer image replaces the machine": {
    transformation: `if (type === INSTANCE) return { props, opts: { ...opts, ignoreChanges: [] } };`,
    subject: "program",
    statement: /a newer image does not replace the machine/,
  },
  "a changed flake is not deployed": {
    transformation: `if (type === COMMAND) return { props: { ...props, triggers: props.triggers.slice(1) }, opts };`,
    subject: "program",
    statement: /only the deployment changes, by its trigger/,
  },
  "a new machine gets no system": {
    transformation: `if (type === COMMAND) return { props: { ...props, triggers: [props.triggers[0]] }, opts };`,
    subject: "program",
    statement: /address and deployment are told of the new machine/,
  },
  "user data does not start with #!": {
    transformation: `if (type === INSTANCE) return { props: { ...props, userData: pulumi.interpolate\`\\n\${props.userData}\` }, opts };`,
    subject: "program",
    statement: /user data is a script/,
  },
  "the machine's key may write to the repository": {
    transformation: `if (type.endsWith(":RepositoryDeployKey")) return { props: { ...props, readOnly: false }, opts };`,
    subject: "program",
    statement: /GitHub lets it only read/,
  },
  "a check is required that nobody reports": {
    transformation: `if (type.endsWith(":BranchProtection")) return { props: { ...props, requiredStatusChecks: [{ contexts: ["ci"] }] }, opts };`,
    subject: "program",
    statement: /requires the checks that the workflow reports/,
  },
  "a private key is no secret": {
    transformation: `if (type === COMMAND) {
      const DEPLOY_PRIVATE_KEY = pulumi.unsecret(props.environment.DEPLOY_PRIVATE_KEY);
      return { props: { ...props, environment: { ...props.environment, DEPLOY_PRIVATE_KEY } }, opts };
    }`,
    subject: "program",
    statement: /no private key stands outside Pulumi's secrets/,
  },
  "the deployment goes to the address that EC2 lends": {
    transformation: `if (type === COMMAND) return { props: { ...props, environment: { ...props.environment, DEPLOY_HOST: "198.51.100.1" } }, opts };`,
    subject: "program",
    statement: /deployed once, to the machine's own address/,
  },
  "the deployment trusts another host key": {
    transformation: `if (type === COMMAND) return { props: { ...props, environment: { ...props.environment, DEPLOY_HOST_KEY: "ssh-ed25519 AAAA" } }, opts };`,
    subject: "program",
    statement: /trusts no host key but the one/,
  },
  "a rotated key does not reach the machine": {
    transformation: `if (type === INSTANCE) return { props, opts: { ...opts, ignoreChanges: ["ami", "userData"] } };`,
    subject: "program",
    statement: /gives the new key to the machine, EC2 and GitHub/,
  },
  "a resource is only in the preview": {
    transformation: `if (type === INSTANCE && pulumi.runtime.isDryRun()) new EXTRA("extra", {});`,
    subject: "program",
    statement: /a preview registers the same resources/,
  },
};

describe("rehearsal", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "rehearsal-spec-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const rehearse = async (
    root: string,
    surroundings: NodeJS.ProcessEnv,
    ...options: string[]
  ): Promise<{ code: number; text: string; rehearsal: Rehearsal }> => {
    const json = path.join(folder, "rehearsal.json");
    const args = ["--import", "tsx", "cli/rehearse.ts", "--json", json, ...options];
    const environment = { ...process.env, ...surroundings, TMPDIR: folder };
    const { code, stdout, stderr } = await finished(process.execPath, args, {
      directory: root,
      environment,
    });
    return { code, text: stdout + stderr, rehearsal: JSON.parse(readFileSync(json, "utf8")) as Rehearsal };
  };

  describe("of the real program", () => {
    it("holds with machines on this computer", async function () {
      const reason = canRunMachine();
      requireOrSkip(this, "systemd", reason === undefined, reason ?? "");
      const missing = await Desk.whatIsMissing(process.env);
      requireOrSkip(this, "sops", missing === undefined, missing ?? "");
      const { code, text, rehearsal } = await rehearse(ROOT, {}, "--no-engine");
      assert.equal(code, 0, text);
      const machine = rehearsal.verdicts.filter(({ subject }) => subject === "machine");
      assert.equal(machine.length, 10);
      assert.deepEqual(
        machine.map(({ outcome }) => outcome),
        machine.map(() => "held"),
      );
    });

    // What a computer with Nix has, and what `su` leaves of PATH.
    it("holds with machines, but without sops and the folders of the administrator's programs", async function () {
      const reason = canRunMachine();
      requireOrSkip(this, "systemd", reason === undefined, reason ?? "");
      const folders = process.env["PATH"]!.split(path.delimiter).filter((one) => !one.endsWith("/sbin"));
      const PATH = pathWithout(["sops"], path.join(folder, "bin"), folders.join(path.delimiter));
      const { code, text, rehearsal } = await rehearse(ROOT, { PATH }, "--no-engine");
      assert.equal(code, 0, text);
      const machine = rehearsal.verdicts.filter(({ subject }) => subject === "machine");
      assert.deepEqual(new Set(machine.map(({ outcome }) => outcome)), new Set(["held", "not run"]));
      assert.deepEqual(
        rehearsal.steps.filter(({ summary }) => summary === "not run").map(({ name }) => name),
        ["secrets", "token"],
      );
    });

    it("holds under a real engine", async function () {
      await requireEngine(this);
      const { code, text, rehearsal } = await rehearse(ROOT, {}, "--no-machine");
      assert.equal(code, 0, text);
      assert.equal(rehearsal.driver, "engine");
      assert.deepEqual(
        rehearsal.verdicts.filter(({ outcome }) => outcome === "not checked"),
        [],
      );
    });
  });

  it("holds for a project that is in use: with a repository, a token and secrets for its own machine", async () => {
    const copy = copyOf(folder);
    const repository = { owner: "octocat", name: "server", branch: "main", access: "token" };
    writeFileSync(path.join(copy, "nix/repository.json"), JSON.stringify(repository));
    const encrypted = "ENC[AES256_GCM,data:x,iv:x,tag:x,type:str]";
    const sops = `sops:\n    age:\n        - recipient: age1another\n    mac: ${encrypted}\n`;
    writeFileSync(path.join(copy, "nix/secrets.yaml"), `github-access-token: ${encrypted}\n${sops}`);
    const { code, text } = await rehearse(copy, {}, "--no-engine");
    assert.equal(code, 0, text);
  });

  describe("of a program with a fault does not hold:", () => {
    for (const [fault, { transformation, subject, statement }] of Object.entries(FAULTS)) {
      it(fault, async () => {
        const { code, text, rehearsal } = await rehearse(
          withFault(folder, transformation),
          {},
          "--no-engine",
          "--no-machine",
        );
        assert.equal(code, 1, text);
        const failed = rehearsal.verdicts.filter(({ outcome }) => outcome === "FAILED");
        assert.ok(
          failed.some((verdict) => verdict.subject === subject && statement.test(verdict.statement)),
          JSON.stringify(failed, null, 2),
        );
      });
    }
  });
});

function copyOf(folder: string): string {
  const copy = path.join(folder, "copy");
  for (const part of [...PARTS, "cli", "test"].filter((one) => existsSync(path.join(ROOT, one))))
    cpSync(path.join(ROOT, part), path.join(copy, part), { recursive: true });
  symlinkSync(path.join(ROOT, "node_modules"), path.join(copy, "node_modules"));
  return copy;
}

/** A copy of the project whose program runs with a transformation. */
function withFault(folder: string, transformation: string): string {
  const copy = copyOf(folder);
  const program = readFileSync(path.join(copy, "index.ts"), "utf8");
  const fault = `import * as pulumi from "@pulumi/pulumi";
    import { Eip as EXTRA } from "@pulumi/aws/ec2";
    const INSTANCE = "aws:ec2/instance:Instance";
    const COMMAND = "command:local:Command";
    pulumi.runtime.registerStackTransformation(({ type, props, opts }: any): any => {
      ${transformation}
      return undefined;
    });`;
  writeFileSync(path.join(copy, "components/fault.ts"), fault);
  writeFileSync(path.join(copy, "index.ts"), `import "./components/fault";\n${program}`);
  return copy;
}
