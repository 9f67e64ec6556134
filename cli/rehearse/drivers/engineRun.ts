import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { parse, stringify } from "yaml";
import { detailedDiffOf } from "../../preview/digest";
import { strings } from "../../preview/json";
import { isObject, type Properties } from "../emulators/values";
import type { Operation } from "./driver";
import { installStandIn, languageHostOf } from "./languageHost";

/** The parts of the engine's event log that are read here. */
export interface EngineEvent {
  resourcePreEvent?: {
    metadata: {
      op: string;
      urn: string;
      type: string;
      new?: { custom?: boolean };
      old?: { custom?: boolean };
      detailedDiff?: unknown;
      keys?: unknown;
    };
  };
  diagnosticEvent?: { severity: string; message: string };
  /** Ends a preview, and ends an update. */
  summaryEvent?: object;
}

/**
 * The environment of a Pulumi CLI whose home and stacks stay in a folder.
 *
 * @param attached emulated providers to attach to, as `name:port`
 */
export function engineEnvironment(
  cli: string,
  folder: string,
  environment: NodeJS.ProcessEnv,
  attached: string[],
): NodeJS.ProcessEnv {
  const state = path.join(folder, "state");
  const home = path.join(folder, "pulumi-home");
  mkdirSync(state, { recursive: true });
  if (languageHostOf(cli, environment["PATH"]) === "a stand-in") installStandIn(home);
  return {
    ...environment,
    // Its language hosts are beside it.
    PATH: `${path.dirname(cli)}${path.delimiter}${environment["PATH"] ?? ""}`,
    PULUMI_HOME: home,
    // Without the files of attributes that it would write beside each: an engine that is killed while it writes one leaves
    // it empty, and can then read its state no more.
    PULUMI_BACKEND_URL: `file://${state}?metadata=skip`,
    PULUMI_CONFIG_PASSPHRASE: randomBytes(18).toString("base64url"),
    PULUMI_DEBUG_PROVIDERS: attached.join(","),
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    // Lets the CLI write its events to a file, as Pulumi's own automation does.
    PULUMI_DEBUG_COMMANDS: "true",
    NO_COLOR: "1",
  };
}

/** Writes the stack's configuration file, keeping the salt and the secrets that the engine put there. */
export function writeConfiguration(project: string, stack: string, config: Record<string, string>): void {
  const file = path.join(project, `Pulumi.${stack}.yaml`);
  const current = existsSync(file) ? (parse(readFileSync(file, "utf8")) as Properties) : {};
  const values = Object.fromEntries(Object.entries(config).map(([key, value]) => [key, typed(value)]));
  // Other groups are given whole, each time.
  const kept = Object.entries(isObject(current["config"]) ? current["config"] : {}).filter(([, value]) =>
    JSON.stringify(value).includes('"secure":'),
  );
  writeFileSync(file, stringify({ ...current, config: { ...Object.fromEntries(kept), ...values } }));
}

/** A value as the configuration file has it: the engine checks the types that Pulumi.yaml gives. */
export function typed(value: string): unknown {
  return /^(true|false|\d+|\[.*\]|\{.*\})$/.test(value) ? (JSON.parse(value) as unknown) : value;
}

/**
 * Reads the engine's events and removes their file. The SDK's debug messages, which the terminal does not show either,
 * are left out: they repeat what a provider answered, secrets included.
 */
export function takeEvents(file: string): EngineEvent[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  rmSync(file);
  // What follows the last newline is empty, or what a killed engine left unfinished.
  return lines
    .slice(0, -1)
    .filter(Boolean)
    .map((line) => JSON.parse(line) as EngineEvent)
    .filter(({ diagnosticEvent }) => diagnosticEvent?.severity !== "debug");
}

/** What the engine did to each resource, the providers' own resources left out. */
export function operationsOf(events: EngineEvent[]): Operation[] {
  return events.flatMap(({ resourcePreEvent }): Operation[] => {
    if (resourcePreEvent === undefined || resourcePreEvent.metadata.type.startsWith("pulumi:providers:")) return [];
    const { op, urn, type, old, new: current, detailedDiff, keys } = resourcePreEvent.metadata;
    return [
      {
        urn,
        type,
        operation: op,
        custom: (current ?? old)?.custom ?? false,
        detailedDiff: detailedDiffOf(detailedDiff, "diffKind"),
        replaceReasons: strings(keys),
      },
    ];
  });
}

/** What the engine reported as errors, for a person. */
export function refusal(events: EngineEvent[]): string | undefined {
  const errors = events.flatMap(({ diagnosticEvent }) =>
    diagnosticEvent?.severity === "error" ? [diagnosticEvent.message.replaceAll(/<\{%[^%]*%\}>/g, "").trim()] : [],
  );
  return errors.length === 0 ? undefined : [...new Set(errors)].join("\n");
}
