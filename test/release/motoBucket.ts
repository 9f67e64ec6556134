import type { Bucket } from "../../cli/ci/release/bucket.mjs";
import type { Moto } from "./moto";

/** What the publisher asks of a bucket. */
export type Asked = Pick<Bucket, "get" | "put" | "list" | "has" | "remove">;

/**
 * moto's bucket over plain HTTP: the same answers as the AWS CLI's, which takes seconds for each on a busy computer. That
 * both are the same is a test of its own.
 */
export function motoBucket(moto: Moto): Asked {
  const at = (key: string) => `${moto.url}/builds/${key.split("/").map(encodeURIComponent).join("/")}`;
  // Without anybody's name it would be a request of the public.
  const authorization =
    "AWS4-HMAC-SHA256 Credential=none/20270115/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=none";
  const ask = async (
    method: string,
    url: string,
    more: { body?: Uint8Array<ArrayBuffer>; headers?: Record<string, string> } = {},
    allowed: number[] = [],
  ) => {
    const response = await fetch(url, { method, body: more.body, headers: { authorization, ...more.headers } });
    if (!response.ok && !allowed.includes(response.status)) throw new Error(`${method} ${url}: ${response.status}`);
    return response;
  };
  return {
    async get(key) {
      const response = await ask("GET", at(key), {}, [404]);
      if (response.status === 404) return undefined;
      return { bytes: Buffer.from(await response.arrayBuffer()), etag: response.headers.get("etag")! };
    },
    async put(key, bytes, { absent = false, etag } = {}) {
      const headers: Record<string, string> = absent
        ? { "if-none-match": "*" }
        : etag === undefined
          ? {}
          : { "if-match": etag };
      const body = new Uint8Array(bytes);
      const response = await ask("PUT", at(key), { body, headers }, [404, 409, 412]);
      return response.ok;
    },
    has: async (key) => (await ask("HEAD", at(key), {}, [404])).ok,
    async list(prefix) {
      const url = `${moto.url}/builds?list-type=2&prefix=${encodeURIComponent(prefix)}`;
      const text = await (await ask("GET", url)).text();
      return [...text.matchAll(/<Key>(.*?)<\/Key><LastModified>(.*?)<\/LastModified>.*?<Size>(\d+)<\/Size>/gs)].map(
        ([, key, modified, size]) => ({ key: key!, modified: Date.parse(modified!) / 1000, size: Number(size) }),
      );
    },
    async remove(keys) {
      for (const key of keys) await ask("DELETE", at(key));
    },
  };
}
