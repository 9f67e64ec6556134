import fs from "node:fs";
import https from "node:https";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { output } from "../machine";
import type { UpgradeBench } from "./bench";

/** How the false GitHub answers until told otherwise. */
export type Answer =
  | { status: number; headers?: Record<string, string>; body?: string }
  /** As GitHub would, from the bench's repository. */
  | "true"
  /** Accepts the request and says nothing. */
  | "hang";

/** A false GitHub: the part of its REST API that the upgrade and Nix use, over TLS, under GitHub's own names. */
export interface FalseGithub {
  /** The requests since the last call: "GET /repos/octocat/site/git/ref/heads/main". */
  requests(): string[];
  /** The tokens that came with the requests so far. */
  tokens: Set<string>;
  answer(answer: Answer): void;
  /** A token that GitHub refuses, as it does with one that was revoked. */
  revoked: string | undefined;
  /** Headers that come with every true answer. */
  headers: Record<string, string>;
  close(): Promise<void>;
}

/** What the modules are told for a machine that reads its repository with a token. */
export const tokenConfiguration = {
  pulumiNixos: {
    enable: true,
    repository: { owner: "octocat", name: "site", access: "token" },
    upgrade: { tokenFile: "/run/secrets/github-access-token" },
  },
};

/** Puts a secret where sops-nix would; whether the machine then takes it for a token. */
export async function giveToken(bench: UpgradeBench, secret: string): Promise<boolean> {
  await bench.machine.output("mkdir -p -m 700 /run/secrets; cat >/run/secrets/github-access-token", { input: secret });
  return bench.poll("nixos-upgrade-token.service");
}

/** Makes an authority and a certificate for GitHub's names; the machine trusts the authority. */
async function makeCertificate(folder: string): Promise<{ key: string; cert: string; authority: string }> {
  const openssl = (...args: string[]) => output("openssl", args, { cwd: folder });
  const request = ["req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=bench"];
  await openssl(...request, "-x509", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem");
  await openssl(...request, "-keyout", "key.pem", "-out", "request.pem");
  fs.writeFileSync(path.join(folder, "names"), "subjectAltName=DNS:github.com,DNS:api.github.com\n");
  await openssl(
    ...["x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"],
    ...["-days", "2", "-extfile", "names", "-out", "cert.pem"],
  );
  const read = (name: string) => fs.readFileSync(path.join(folder, name), "utf8");
  return { key: read("key.pem"), cert: read("cert.pem"), authority: read("ca.pem") };
}

export async function startFalseGithub(bench: UpgradeBench, folder: string): Promise<FalseGithub> {
  const { key, cert, authority } = await makeCertificate(folder);
  await bench.machine.output("cat >/etc/upgrade/ca.pem", { input: authority });
  await bench.set({ CURL_CA_BUNDLE: "/etc/upgrade/ca.pem", NIX_SSL_CERT_FILE: "/etc/upgrade/ca.pem" });
  // As the module has it written into nix.conf.
  await bench.machine.output("echo '!include /run/nixos-upgrade/access-token.conf' >>/etc/nix/nix.conf");

  let answer: Answer = "true";
  let seen: string[] = [];
  const github: FalseGithub = {
    requests() {
      const requests = seen;
      seen = [];
      return requests;
    },
    tokens: new Set(),
    answer: (next) => (answer = next),
    revoked: undefined,
    headers: {},
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  const git = async (...args: string[]) =>
    await bench.machine.run(`git -C /srv/git/octocat/site.git ${args.join(" ")}`);

  async function trueAnswer(url: string): Promise<{ status: number; body: string | Buffer }> {
    // Nix itself, asked for a branch by a test.
    const [, name] = url.match(/^\/repos\/octocat\/site\/commits\/(.+)$/) ?? [];
    if (name !== undefined) {
      const sha = (await git("rev-parse", name)).stdout.trim();
      const tree = (await git("rev-parse", `"${name}^{tree}"`)).stdout.trim();
      return { status: 200, body: JSON.stringify({ sha, commit: { tree: { sha: tree } } }) };
    }
    const [, kind = "", what = ""] =
      url.match(
        /^\/(?:repos\/octocat\/site|repositories\/42)\/?(git\/ref\/heads|branches|compare|tarball|$)[/?]?(.*)$/,
      ) ?? [];
    if (kind === "" && /^\/(repos|repositories)\//.test(url)) {
      return { status: 200, body: JSON.stringify({ full_name: "octocat/site" }) };
    }
    if (kind === "branches") return { status: 200, body: "[]" };
    if (kind === "git/ref/heads") {
      const found = await git("rev-parse", "--verify", "--quiet", `refs/heads/${what}`);
      const empty = (await git("rev-list", "--all", "--max-count=1")).stdout.trim() === "";
      if (found.code !== 0) return empty ? json(409, "Git Repository is empty.") : json(404, "Not Found");
      const sha = found.stdout.trim();
      return { status: 200, body: JSON.stringify({ ref: `refs/heads/${what}`, object: { type: "commit", sha } }) };
    }
    if (kind === "compare") {
      const [base = "", head = ""] = what.split("...");
      if ((await git("cat-file", "-e", base)).code !== 0) return json(404, "Not Found");
      const ahead = (await git("merge-base", "--is-ancestor", base, head)).code === 0;
      const behind = (await git("merge-base", "--is-ancestor", head, base)).code === 0;
      const merge = (await git("merge-base", base, head)).stdout.trim();
      const status = ahead ? "ahead" : behind ? "behind" : "diverged";
      return { status: 200, body: JSON.stringify({ status, merge_base_commit: { sha: merge } }) };
    }
    if (kind === "tarball") {
      const archive = await bench.machine.output(
        `git -C /srv/git/octocat/site.git archive --format=tar.gz --prefix=octocat-site-${what}/ ${what} | base64 -w0`,
      );
      return { status: 200, body: Buffer.from(archive, "base64") };
    }
    return json(404, "Not Found");
  }

  const server = https.createServer({ key, cert }, (request, response) => {
    const url = request.url ?? "";
    seen.push(`${request.method} ${url}`);
    const token = request.headers.authorization?.match(/^(?:Bearer|token) (.+)$/)?.[1];
    if (token) github.tokens.add(token);
    if (answer === "hang") return;
    if (token !== undefined && token === github.revoked) {
      response.writeHead(401).end('{"message":"Bad credentials"}');
      return;
    }
    if (answer !== "true") {
      response.writeHead(answer.status, answer.headers).end(answer.body ?? '{"message":"no"}');
      return;
    }
    trueAnswer(url).then(
      ({ status, body }) => response.writeHead(status, github.headers).end(body),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.on("error", reject);
    server.listen(443, bench.address, resolve);
  });
  const { address } = server.address() as AddressInfo;
  if (address !== bench.address) throw new Error(`listening on ${address}`);
  return github;
}

function json(status: number, message: string): { status: number; body: string } {
  return { status, body: JSON.stringify({ message }) };
}
