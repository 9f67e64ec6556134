import { type IncomingMessage, request, type ServerResponse } from "node:http";
import type { Emulator } from "emulate" with { "resolution-mode": "import" };
import { type LocalServer, serve } from "../support/server";

export const REPOSITORY = "example/server";
/** Made up for the emulator; no such token exists. */
export const TOKEN = "emulated-token";
export const STRANGER = "emulated-stranger";

/** What goes wrong with one request. `lost`: GitHub does what was asked, but its answer does not arrive. */
export type Fault = "drop" | "lost" | "truncate" | { status: number; headers?: Record<string, string>; body?: string };

/** What was asked, in order: method and path. */
export interface Asked {
  method: string;
  path: string;
}

/**
 * The GitHub API as the package `emulate` emulates it, behind a proxy that injects faults. It has a repository with one
 * issue, number 1: for comments a pull request is an issue.
 */
export class GithubServer {
  readonly asked: Asked[] = [];
  private readonly faults: { matches: RegExp; fault: Fault }[] = [];
  private server!: LocalServer;
  private emulator!: Emulator;

  static async start(): Promise<GithubServer> {
    // The package is there for ES modules only.
    const { createEmulator } = await import("emulate");
    const started = new GithubServer();
    started.emulator = await createEmulator({
      service: "github",
      port: 0,
      seed: {
        tokens: { [TOKEN]: { login: "robot", scopes: ["repo"] }, [STRANGER]: { login: "stranger", scopes: ["repo"] } },
        github: {
          users: [{ login: "example" }, { login: "robot" }, { login: "stranger" }],
          repos: [{ owner: "example", name: "server", auto_init: true }],
        },
      },
    });
    started.server = await serve((incoming, outgoing) => started.handle(incoming, outgoing));
    await started.call("POST", `/repos/${REPOSITORY}/issues`, { title: "A change" });
    started.asked.length = 0;
    return started;
  }

  get url(): string {
    return this.server.url;
  }

  /** The next request that matches (such as "POST /repos") meets the fault; one fault a request. */
  fail(matches: RegExp, ...faults: Fault[]): void {
    this.faults.push(...faults.map((fault) => ({ matches, fault })));
  }

  async call(method: string, path: string, body?: unknown, token = TOKEN): Promise<unknown> {
    const response = await fetch(`${this.emulator.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? undefined : await response.json();
  }

  async comments(): Promise<{ id: number; body: string; user: { login: string } }[]> {
    const all = await this.call("GET", `/repos/${REPOSITORY}/issues/1/comments?per_page=100`);
    return all as { id: number; body: string; user: { login: string } }[];
  }

  async stop(): Promise<void> {
    await this.server.stop();
    await this.emulator.close();
  }

  private handle(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const [method, path] = [incoming.method ?? "", incoming.url ?? ""];
    this.asked.push({ method, path });
    const at = this.faults.findIndex(({ matches }) => matches.test(`${method} ${path}`));
    const fault = at === -1 ? undefined : this.faults.splice(at, 1)[0]!.fault;
    if (fault === "drop") return void incoming.socket.destroy();
    if (typeof fault === "object") {
      incoming.resume();
      outgoing.writeHead(fault.status, fault.headers).end(fault.body ?? JSON.stringify({ message: "injected" }));
      return;
    }
    const headers = { ...incoming.headers, host: new URL(this.emulator.url).host };
    const forwarded = request(`${this.emulator.url}${path}`, { method, headers }, (answer) => {
      if (fault === "lost") {
        answer.resume().on("end", () => incoming.socket.destroy());
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      if (fault === "truncate")
        answer.once("data", (chunk: Buffer) => outgoing.write(chunk.subarray(0, 20), () => incoming.socket.destroy()));
      else answer.pipe(outgoing);
    });
    forwarded.on("error", () => incoming.socket.destroy());
    incoming.pipe(forwarded);
  }
}
