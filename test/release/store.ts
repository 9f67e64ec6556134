/**
 * The cache's bucket and the machine's metadata service on loopback. It checks signatures of requests as AWS describes them
 * (Signature Version 4). It was compared with moto's server (5.2, signatures on, a role's session): both take what record.sh
 * sends with curl 7.88 and both refuse another secret. It is not S3: no policy, no throttling.
 */
import { createHash, createHmac, randomBytes } from "node:crypto";
import http from "node:http";
import type { AddressInfo } from "node:net";

const REGION = "eu-west-1";
const BUCKET = "builds";

/** An object, or what the server does in its place. */
export type Stored = Buffer | "endless" | "endless-slowly" | "hang" | { status: number; body?: string };

export interface ReleaseStore {
  port: number;
  /** The address as in nix/cache.json, with where it really is. */
  address: string;
  /** The same without a role: plain HTTP. */
  plain: string;
  objects: Map<string, Stored>;
  /** "GET /builds/releases/main/default/latest.json" and those of the metadata service. */
  requests: string[];
  /** What the role's secret is to be in the bucket's eyes. */
  secret: string;
  /** Whether the machine has a role. */
  role: boolean;
  /** The rights that the metadata service hands out. */
  credentials: { AccessKeyId: string; SecretAccessKey: string; Token: string };
  stop(): Promise<void>;
}

export async function startReleaseStore(host = "127.0.0.1", port = 0): Promise<ReleaseStore> {
  const session = randomBytes(12).toString("hex");
  const secret = randomBytes(20).toString("hex");
  const server = http.createServer((request, response) => {
    const url = request.url ?? "/";
    store.requests.push(`${request.method} ${url}`);
    const answer = (status: number, body: string | Buffer = "") =>
      response.writeHead(status, { "content-length": Buffer.byteLength(body) }).end(body);
    if (url.startsWith("/latest/")) {
      if (!store.role) return void answer(404);
      if (url === "/latest/api/token")
        return void (request.method === "PUT" && request.headers["x-aws-ec2-metadata-token-ttl-seconds"] !== undefined
          ? answer(200, session)
          : answer(405));
      if (request.headers["x-aws-ec2-metadata-token"] !== session) return void answer(401);
      if (url.endsWith("/security-credentials/")) return void answer(200, "server-role");
      return void answer(200, JSON.stringify({ Code: "Success", ...store.credentials }));
    }
    const { pathname } = new URL(url, "http://store");
    const inBucket = pathname.startsWith(`/${BUCKET}/`);
    if (inBucket) {
      const problem = signatureProblem(request, store);
      if (problem !== undefined) return void answer(403, `<Error><Code>${problem}</Code></Error>`);
    }
    const key = decodeURIComponent(pathname.replace(inBucket ? `/${BUCKET}/` : "/plain/", ""));
    const object = store.objects.get(key);
    if (object === undefined) return void answer(404, "<Error><Code>NoSuchKey</Code></Error>");
    if (object === "hang") return;
    if (object === "endless" || object === "endless-slowly") {
      response.writeHead(200);
      const send = () => {
        if (response.destroyed) return;
        response.write(object === "endless" ? Buffer.alloc(4096, " ") : " ");
        setTimeout(send, object === "endless" ? 0 : 50);
      };
      return send();
    }
    if (!Buffer.isBuffer(object)) return void answer(object.status, object.body);
    answer(200, object);
  });
  await new Promise<void>((resolve, reject) => server.on("error", reject).listen(port, host, resolve));
  const listening = (server.address() as AddressInfo).port;
  const store: ReleaseStore = {
    port: listening,
    address: `s3://${BUCKET}?endpoint=${host}:${listening}&scheme=http&region=${REGION}`,
    plain: `http://${host}:${listening}/plain`,
    objects: new Map(),
    requests: [],
    secret,
    role: true,
    credentials: {
      AccessKeyId: `ASIA${"0".repeat(16)}`,
      SecretAccessKey: secret,
      Token: randomBytes(30).toString("base64"),
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return store;
}

/** What S3 would say of a request's signature; undefined: it is right. */
function signatureProblem(request: http.IncomingMessage, { credentials, secret }: ReleaseStore): string | undefined {
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      request.headers.authorization ?? "",
    );
  if (match === null) return "AccessDenied";
  const [, id, date, region, names, given] = match as unknown as [string, string, string, string, string, string];
  if (id !== credentials.AccessKeyId) return "InvalidAccessKeyId";
  if (region !== REGION) return "AuthorizationHeaderMalformed";
  if (request.headers["x-amz-security-token"] !== credentials.Token) return "InvalidToken";
  const time = String(request.headers["x-amz-date"]);
  const at = Date.parse(time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
  if (!(Math.abs(Date.now() - at) < 900_000)) return "RequestTimeTooSkewed";
  const list = names.split(";");
  if (!list.includes("host") || !list.includes("x-amz-security-token")) return "AccessDenied";
  const hash = request.headers["x-amz-content-sha256"];
  if (hash !== sha256("") || !list.includes("x-amz-content-sha256")) return "MissingSecurityHeader";
  const { pathname } = new URL(request.url ?? "/", "http://store");
  const canonical = [
    request.method,
    pathname
      .split("/")
      .map((part) => encodeURIComponent(decodeURIComponent(part)))
      .join("/"),
    "",
    ...list.map((name) => `${name}:${String(request.headers[name]).trim()}`),
    "",
    names,
    hash,
  ].join("\n");
  const scope = `${date}/${region}/s3/aws4_request`;
  const key = [date, region, "s3", "aws4_request"].reduce<Buffer>(
    (from, part) => hmac(from, part),
    Buffer.from(`AWS4${secret}`),
  );
  const expected = hmac(key, ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n")).toString("hex");
  return expected === given ? undefined : "SignatureDoesNotMatch";
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const hmac = (key: Buffer, text: string) => createHmac("sha256", key).update(text).digest();
