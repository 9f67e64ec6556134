import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

/** A web server on this computer, for as long as a test wants it. */
export interface LocalServer {
  url: string;
  stop(): Promise<void>;
}

export async function serve(listener: RequestListener): Promise<LocalServer> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
