import path from "node:path";
import { newKey, type TestKey } from "../../cli/rehearse/keys";
import { latestKey, progressKey, releaseFolder } from "../../components/release/record.mjs";
import { nixSigningKey } from "../../components/keys/nixSigningKey";
import type { UpgradeBench } from "../../cli/rehearse/upgrade/bench";
import { goodRecord, signText } from "../release/cases";
import { type ReleaseStore, startReleaseStore } from "../release/store";

const FOLDER = releaseFolder("main", "default");

/** A release as it was published. */
export interface Published {
  number: number;
  revision: string;
  system: string;
}

/**
 * What continuous integration does for a bench's machine: it evaluates and builds what is on the branch, signs it, puts it
 * into a cache that the machine asks over HTTP, and a signed record into the bucket. Debian's Nix cannot sign requests to
 * S3, so the cache is plain HTTP; records come by signed requests.
 */
export class ReleaseBench {
  readonly key: TestKey = newKey();
  private readonly cacheKey = nixSigningKey("bench-1", this.key.privateKeyOpenssh);
  private number = 0;

  private constructor(
    private readonly bench: UpgradeBench,
    readonly store: ReleaseStore,
  ) {}

  static async start(bench: UpgradeBench): Promise<ReleaseBench> {
    const ci = new ReleaseBench(bench, await startReleaseStore());
    await bench.machine.output(
      `printf '%s\\n' "substituters = ${ci.store.plain}/cache" "trusted-public-keys = ${ci.cacheKey.publicKey}" >>/etc/nix/nix.conf
       cat >/etc/upgrade/cache-key; chmod 600 /etc/upgrade/cache-key`,
      { input: ci.cacheKey.secretKey },
    );
    return ci;
  }

  /** Gives the machine's system the release key, as nix/release.json does. */
  async trust(settings: Record<string, string> = {}): Promise<void> {
    const line = `release namespaces="nixos-release" ${this.key.publicKeyOpenssh}`;
    await this.bench.machine.output("cat >/etc/upgrade/release-signers", { input: line });
    await this.bench.set({
      UPGRADE_RELEASE_SIGNERS: "/etc/upgrade/release-signers",
      UPGRADE_RELEASE_REPOSITORY: "octocat/site",
      UPGRADE_RELEASE_STORE: this.store.address,
      UPGRADE_METADATA: `http://127.0.0.1:${this.store.port}`,
      ...settings,
    });
  }

  /** Evaluates and builds a revision, and leaves nothing of it on the machine. Its system, and the cache's files. */
  async build(revision: string, options = { sign: true }): Promise<{ system: string; files: Map<string, Buffer> }> {
    const query = options.sign ? "?secret-key=/etc/upgrade/cache-key" : "";
    const text = await this.bench.machine.output(`set -e
      export PATH=${this.bench.machine.nix.bin}:$PATH
      flake="git+file:///srv/work?rev=${revision}&dir=nix"
      system=$(nix build --no-link --print-out-paths "$flake#nixosConfigurations.default.config.system.build.toplevel")
      rm -rf /srv/cache
      nix copy --to "file:///srv/cache${query}" "$system"
      [ "$system" = "$(readlink -f /run/current-system)" ] || nix-store --delete "$system" >/dev/null 2>&1 || true
      echo "$system"
      tar -C /srv/cache -cf - . | base64 -w0`);
    const [system = "", archive = ""] = text.split("\n");
    return { system, files: untar(Buffer.from(archive, "base64")) };
  }

  upload(files: Map<string, Buffer>, which = (_: string) => true): void {
    for (const [name, content] of files) if (which(name)) this.store.objects.set(`cache/${name}`, content);
  }

  /** Writes the newest record. */
  record(fields: Record<string, unknown>): number {
    const now = Math.floor(Date.now() / 1000);
    const times = { time: now, validUntil: now + 7 * 86400 };
    const named = { repository: "octocat/site", branch: "main", attribute: "default" };
    const tip = fields["tip"] ?? fields["revision"];
    this.number = Number(fields["number"] ?? this.number + 1);
    const record = { ...goodRecord(), ...named, ...times, tip, number: this.number, ...fields };
    this.put(latestKey(FOLDER), record);
    return this.number;
  }

  progress(revision: string, state: "started" | "failed"): void {
    const now = Math.floor(Date.now() / 1000);
    const named = { repository: "octocat/site", branch: "main", attribute: "default" };
    const times = { time: now, validUntil: now + 86400 };
    const rest = { revision, tip: revision, state, system: null, number: null };
    this.put(progressKey(FOLDER, revision), { ...goodRecord(), ...named, ...times, ...rest });
  }

  private put(key: string, record: Record<string, unknown>): void {
    const text = JSON.stringify(record);
    this.store.objects.set(key, Buffer.from(JSON.stringify({ record: text, signature: signText(text, this.key) })));
  }

  /** All of it: build, upload, record. */
  async release(revision: string, fields: Record<string, unknown> = {}): Promise<Published> {
    const { system, files } = await this.build(revision);
    this.upload(files);
    return { revision, system, number: this.record({ revision, system, ...fields }) };
  }

  /** What the machine fetched from the cache since the last call. */
  fetched(): string[] {
    const seen = this.store.requests.filter((request) => request.startsWith("GET /plain/cache/"));
    this.store.requests.length = 0;
    return seen.map((request) => request.replace("GET /plain/cache/", ""));
  }

  stop(): Promise<void> {
    return this.store.stop();
  }
}

/** The files of a tar archive, with short names. */
function untar(archive: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (let at = 0; at + 512 <= archive.length && archive[at] !== 0;) {
    const field = (from: number, length: number) =>
      archive.toString("latin1", at + from, at + from + length).replace(/\0.*$/s, "");
    const size = parseInt(field(124, 12), 8);
    if (field(156, 1) === "0") {
      files.set(path.posix.normalize(field(0, 100)), archive.subarray(at + 512, at + 512 + size));
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}
