import http from "node:http";
import type { AddressInfo } from "node:net";

/** A stand-in for S3 on loopback. */
export interface ObjectStore {
  port: number;
  /** What it answers: as S3 would, with a fixed status to everything, or nothing at all. */
  mode: "serve" | "hang" | number;
  requests: string[];
  stop: () => Promise<void>;
}

/**
 * Starts a stand-in for S3: objects by path, GET, HEAD and PUT, missing objects with S3's own error body. It is not S3:
 * it checks no signature of a request and knows no policy.
 */
export async function startObjectStore(): Promise<ObjectStore> {
  const objects = new Map<string, Buffer>();
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const key = new URL(request.url ?? "/", "http://store").pathname;
      store.requests.push(`${request.method} ${key}`);
      if (store.mode === "hang") return;
      if (typeof store.mode === "number") return void response.writeHead(store.mode).end();
      if (request.method === "PUT") {
        objects.set(key, Buffer.concat(chunks));
        return void response.writeHead(200, { etag: '"0"' }).end();
      }
      const object = objects.get(key);
      if (object === undefined) {
        return void response
          .writeHead(404, { "content-type": "application/xml" })
          .end("<Error><Code>NoSuchKey</Code></Error>");
      }
      response.writeHead(200, { "content-length": object.length });
      response.end(request.method === "HEAD" ? undefined : object);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const store: ObjectStore = {
    port: (server.address() as AddressInfo).port,
    mode: "serve",
    requests: [],
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return store;
}
