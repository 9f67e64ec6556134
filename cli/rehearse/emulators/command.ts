import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import type { Input, Provider, ResourceType } from "./provider";
import { isObject, type Properties } from "./values";

/** What a command wrote. */
export interface Written {
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  /** Where commands run whose `dir` is not set: the project's root folder, as under the engine. */
  directory: string;
  /** The environment that commands inherit. */
  environment: NodeJS.ProcessEnv;
  /**
   * Stands in for a command that cannot run here (a deployment without a machine); undefined lets it really run.
   * Called with the command's text and its own environment.
   */
  standIn?: (
    command: string,
    environment: Record<string, string>,
  ) => Written | undefined | Promise<Written | undefined>;
}

const common: Record<string, Input> = {
  addPreviousOutputInEnv: { type: "boolean" },
  dir: { type: "string" },
  environment: { type: "object", problem: textValues },
  interpreter: { type: "array" },
  logging: {
    type: "string",
    problem: (value: string) =>
      ["none", "stdout", "stderr", "stdoutAndStderr"].includes(value) ? undefined : `unknown logging mode ${value}`,
  },
  stdin: { type: "string" },
};

function textValues(value: Properties): string | undefined {
  const wrong = Object.keys(value).find((key) => typeof value[key] !== "string");
  return wrong === undefined ? undefined : `environment["${wrong}"] is no string`;
}

/** The command provider, with an end to the processes that still run when the rehearsal stops. */
export interface CommandProvider extends Provider {
  stop: () => void;
}

/** The command provider. It really runs local commands; the previous output reaches them as with the real one. */
export function commandProvider(options: CommandOptions): CommandProvider {
  const running = new Set<ChildProcess>();

  async function run(command: string, inputs: Properties, previous: Properties): Promise<Written> {
    const environment = isObject(inputs["environment"]) ? (inputs["environment"] as Record<string, string>) : {};
    const standIn = await options.standIn?.(command, environment);
    if (standIn !== undefined) return standIn;
    const [program, ...first] =
      Array.isArray(inputs["interpreter"]) && inputs["interpreter"].length > 0
        ? (inputs["interpreter"] as string[])
        : ["/bin/sh", "-c"];
    const child = spawn(program!, [...first, command], {
      cwd: (inputs["dir"] as string | undefined) ?? options.directory,
      env: {
        ...options.environment,
        ...environment,
        ...(inputs["addPreviousOutputInEnv"] === false ? {} : previousOutput(previous)),
      },
    });
    running.add(child);
    try {
      return await outputOf(child, command, (inputs["stdin"] as string | undefined) ?? "");
    } finally {
      running.delete(child);
    }
  }

  const command: ResourceType = {
    inputs: {
      ...common,
      create: { type: "string" },
      update: { type: "string" },
      delete: { type: "string" },
      // The provider would update; it is the SDK that asks the engine for a replacement (replaceOnChanges).
      triggers: { type: "array" },
    },
    outputs: ["stdout", "stderr"],
    unsettles: (changed) => (changed.length > 0 ? ["stdout", "stderr"] : []),
    async create(inputs, name) {
      const id = `${name}${randomBytes(4).toString("hex")}`;
      const text = inputs["create"] as string | undefined;
      return { id, outputs: { ...(text === undefined ? { stdout: "", stderr: "" } : await run(text, inputs, {})) } };
    },
    async update(_id, state, inputs) {
      const text = (inputs["update"] ?? inputs["create"]) as string | undefined;
      return text === undefined ? {} : { ...(await run(text, inputs, state)) };
    },
    async delete(_id, state) {
      const text = state["delete"] as string | undefined;
      if (text !== undefined) await run(text, state, state);
    },
  };

  return {
    name: "command",
    version: "1.2.1",
    resources: { "command:local:Command": command },
    functions: {
      "command:local:run": async (args) => ({ ...args, ...(await run(args["command"] as string, args, {})) }),
    },
    // The real one leaves them no time to clean up either.
    cancel: () => running.forEach((child) => child.kill("SIGKILL")),
    stop: () => running.forEach((child) => child.kill()),
  };
}

function previousOutput({ stdout, stderr }: Properties): NodeJS.ProcessEnv {
  return {
    ...(stdout ? { PULUMI_COMMAND_STDOUT: stdout as string } : {}),
    ...(stderr ? { PULUMI_COMMAND_STDERR: stderr as string } : {}),
  };
}

/** Waits for the end of a command. Its failure carries all that it wrote, as the real provider's does. */
function outputOf(child: ChildProcess, command: string, stdin: string): Promise<Written> {
  return new Promise((resolve, reject) => {
    const written = { stdout: "", stderr: "", both: "" };
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream]!.setEncoding("utf8").on("data", (text: string) => {
        written[stream] += text;
        written.both += text;
      });
    }
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0) return resolve({ stdout: trimmed(written.stdout), stderr: trimmed(written.stderr) });
      const reason = signal === null ? `exit status ${code}` : `signal: ${signal}`;
      reject(new Error(`${reason}: running ${JSON.stringify(command)}:\n${written.both}`));
    });
    // A command that ends without reading its input closes the pipe; that is no failure of its own.
    child.stdin!.on("error", () => {}).end(stdin);
  });
}

function trimmed(text: string): string {
  return text.endsWith("\n") ? text.slice(0, -1) : text;
}
