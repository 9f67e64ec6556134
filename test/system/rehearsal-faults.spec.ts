// The rehearsal's checks on programs with faults: a check that cannot fail would prove nothing.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { copyOf, rehearse, useFolder } from "../support/rehearsal";

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

describe("a rehearsal of a program with a fault does not hold:", () => {
  const folder = useFolder();

  for (const [fault, { transformation, subject, statement }] of Object.entries(FAULTS)) {
    it(fault, async () => {
      const { code, text, rehearsal } = await rehearse(
        folder(),
        withFault(folder(), transformation),
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
