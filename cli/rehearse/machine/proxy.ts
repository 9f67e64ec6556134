import net from "node:net";
import { once } from "node:events";

/**
 * What the network between a deployment and its machine does:
 * - `pass`: nothing special;
 * - `freeze`: connections stay open and no byte moves, either way, as when a route is lost;
 * - `silent`: new connections are accepted and nothing is ever said on them, as by a port forwarder without a server;
 * - `refuse`: new connections are reset at once.
 */
export type ProxyMode = "pass" | "freeze" | "silent" | "refuse";

/** A TCP proxy on loopback whose behaviour a test switches while connections are open. */
export class Proxy {
  private readonly pairs = new Set<Pair>();
  private mode: ProxyMode = "pass";
  /** Held back before every piece of data, in each direction. */
  delayMilliseconds = 0;
  /** Connections that have come in so far. */
  connections = 0;

  private constructor(
    private readonly server: net.Server,
    readonly port: number,
    private readonly target: { host: string; port: number },
  ) {}

  static async start(target: { host: string; port: number }): Promise<Proxy> {
    const server = net.createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const proxy = new Proxy(server, (server.address() as net.AddressInfo).port, target);
    server.on("connection", (client) => proxy.accept(client));
    return proxy;
  }

  /** Changes the behaviour, for open connections too where it concerns them. */
  set(mode: ProxyMode): void {
    this.mode = mode;
    for (const pair of this.pairs) {
      pair.setFrozen(mode === "freeze");
    }
  }

  /** Breaks every open connection with a reset. */
  reset(): void {
    for (const pair of this.pairs) {
      pair.reset();
    }
  }

  async stop(): Promise<void> {
    this.reset();
    this.server.close();
    await once(this.server, "close");
  }

  private accept(client: net.Socket): void {
    this.connections += 1;
    client.on("error", () => undefined);
    if (this.mode === "refuse") {
      reset(client);
      return;
    }
    const pair = new Pair(
      client,
      this.mode === "silent" ? undefined : net.connect(this.target),
      () => this.delayMilliseconds,
    );
    pair.setFrozen(this.mode === "freeze");
    this.pairs.add(pair);
    client.on("close", () => this.pairs.delete(pair));
  }
}

/** One connection: what comes in on one side goes out on the other, late or not at all. */
class Pair {
  constructor(
    private readonly client: net.Socket,
    private readonly server: net.Socket | undefined,
    private readonly delay: () => number,
  ) {
    if (server === undefined) {
      client.resume();
      return;
    }
    this.forward(client, server);
    this.forward(server, client);
  }

  setFrozen(frozen: boolean): void {
    for (const socket of [this.client, this.server]) {
      if (frozen) {
        socket?.pause();
      } else {
        socket?.resume();
      }
    }
  }

  reset(): void {
    reset(this.client);
    if (this.server !== undefined) {
      reset(this.server);
    }
  }

  private forward(from: net.Socket, to: net.Socket): void {
    from.on("data", (data) => this.later(() => to.write(data)));
    from.on("end", () => this.later(() => to.end()));
    from.on("error", () => to.destroy());
    from.on("close", () => this.later(() => to.destroy()));
  }

  /** Timers of equal length fire in order, so that delayed data stays in order too. */
  private later(action: () => void): void {
    const delay = this.delay();
    if (delay > 0) {
      setTimeout(action, delay);
    } else {
      action();
    }
  }
}

/** A reset fails on a socket that is being shut down, and Node then never closes it and does not end itself. */
function reset(socket: net.Socket): void {
  if (socket.writableEnded) {
    socket.destroy();
  } else {
    socket.resetAndDestroy();
  }
}
