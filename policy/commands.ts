import { eachKnown, resourceRule } from "./rule";
import { secretsIn } from "./secrets";

const COMMANDS = ["command:local:Command", "command:remote:Command"];
const COMMAND_PACKAGE = "https://www.pulumi.com/registry/packages/command/api-docs/local/command/";

/** Properties that are shown in logs, in process lists or on GitHub. */
const PLAIN = ["create", "update", "delete", "interpreter", "triggers"];

export const noSecretInPlainText = resourceRule({
  name: "no-secret-in-plain-text",
  description:
    "Secrets should not stand in the text of a command, its arguments or triggers, or in a variable of GitHub Actions",
  enforcementLevel: "mandatory",
  severity: "critical",
  remediationSteps:
    "Give it to the command by environment or stdin, marked as secret; to GitHub Actions by an ActionsSecret. Then make " +
    "a new one: the old one is in the history.",
  url: COMMAND_PACKAGE,
  types: [
    ...COMMANDS,
    "github:index/actionsVariable:ActionsVariable",
    "github:index/actionsEnvironmentVariable:ActionsEnvironmentVariable",
    "github:index/actionsOrganizationVariable:ActionsOrganizationVariable",
  ],
  check: ({ type, props }, report) => {
    const properties = COMMANDS.includes(type) ? PLAIN : ["value"];
    eachKnown(properties, (property) => {
      const value: unknown = props[property];
      // A list is searched member by member: one that is not known yet must not hide the others.
      eachKnown(Array.isArray(value) ? [...value.keys()] : [undefined], (at) => {
        const found = secretsIn(at === undefined ? value : (value as unknown[])[at]);
        const place = at === undefined ? property : `${property}[${at}]`;
        if (found.length > 0) report(`${place} holds ${found.join(" and ")}.`);
      });
    });
  },
});

export const hostKeyPinned = resourceRule({
  name: "host-key-pinned",
  description: "A connection by SSH should trust one host key, and not whatever answers first",
  enforcementLevel: "mandatory",
  severity: "high",
  remediationSteps: "Set connection.hostKey (and that of its proxy) to the key that the machine was given.",
  url: "https://www.pulumi.com/registry/packages/command/api-docs/remote/command/#connection",
  types: /^command:remote:/,
  check: ({ props }, report) => {
    const connection = (props["connection"] ?? {}) as Record<string, unknown>;
    const proxy = "proxy" in connection ? (connection["proxy"] as Record<string, unknown>) : undefined;
    // Its presence is enough: the key of a machine that is still to be made is not known yet.
    if (!("hostKey" in connection)) report("connection.hostKey is not set.");
    if (proxy !== undefined && !("hostKey" in proxy)) report("connection.proxy.hostKey is not set.");
  },
});
