import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import * as sshpk from "sshpk";
import { isObject } from "../../cli/rehearse/emulators/values";
import { findings, forms } from "./forms";
import { EngineStack } from "./stack";

// Not looked into: the engine's event log and its debug output. The SDK writes what providers answer into them, keys
// included, whatever a program does (docs tell so); nothing of this project asks for them.

const TOKEN = `ghp_${randomBytes(18).toString("hex")}`;

describe("the engine: no secret is readable anywhere", function () {
  let stack: EngineStack;
  let secrets: Record<string, string[]>;

  before(async function () {
    stack = await EngineStack.start(this);
    await stack.succeed("config", "set", "--secret", "github:token", TOKEN);
    // Everything that may print: a first update with its preview, a failure, one with every difference, a refresh.
    await stack.succeed("preview", "--diff");
    stack.deployments.behave("fail");
    await stack.fail("up", "--yes");
    stack.deployments.behave("succeed");
    await stack.succeed("up", "--yes", "--diff");
    stack.configure({ keyVersions: "[1, 2]" });
    await stack.up();
    stack.configure({ keyVersions: "[2, 1]" });
    await stack.succeed("up", "--yes", "--diff");
    await stack.succeed("refresh", "--yes");
    await stack.succeed("preview", "--json", "--expect-no-changes");
    await stack.succeed("stack", "output", "--json");
    await stack.succeed("stack", "export");
    secrets = await everySecret(stack);
  });
  after(() => stack?.stop());

  it("of the three keys, the token and the passphrase, all are known to this test", () => {
    const keys = Object.keys(secrets).filter((name) => /^nixos-(key|key-2|host-key)$/.test(name));
    assert.equal(keys.length, 3, Object.keys(secrets).join());
    assert.ok(Object.values(secrets).every((texts) => texts.every((text) => text.length > 20)));
  });

  it("its search finds each form of a key, wherever it begins in an encoded text", () => {
    const [key] = secrets["nixos-key"]!;
    const written = [
      `a${key}`,
      JSON.stringify({ key }),
      JSON.stringify(JSON.stringify({ key })),
      encodeURIComponent(`ab${key}`),
      ...["", "a", "ab"].map((before) => Buffer.from(`${before}${key}`).toString("base64")),
      Buffer.from(`abc${key}`).toString("base64url"),
      Buffer.from(`x${key}`).toString("hex"),
      Buffer.from(`x${key}`).toString("hex").toUpperCase(),
      key!.trim().replaceAll("\n", "|"),
      key!.replaceAll("\n", "\r\n"),
    ];
    for (const text of written) assert.equal(findings(text, forms(key!)), true, text.slice(0, 60));
    assert.equal(findings(JSON.stringify(Object.keys(secrets)), forms(key!)), false);
  });

  it("not in the exported state", async () => {
    const { printed } = await stack.succeed("stack", "export");
    assert.match(printed, /tls:index\/privateKey:PrivateKey/);
    assert.deepEqual(leaks(secrets, printed), []);
  });

  it("not in anything that was printed", () => {
    assert.ok(stack.printed.length > 8);
    // What this test itself asked for with --show-secrets is kept apart.
    assert.deepEqual(leaks(secrets, stack.printed.join("\n")), []);
  });

  it("not in any file: state and its history, backups, configuration, homes, logs, caches, temporary folders", () => {
    const files = readdirSync(stack.folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
      .filter((file) => !file.includes(`${path.sep}node_modules${path.sep}`));
    for (const place of ["state/.pulumi/stacks", "state/.pulumi/history", "pulumi-home", "project/nix"])
      assert.ok(
        files.some((file) => file.startsWith(path.join(stack.folder, place))),
        `nothing in ${place}`,
      );
    const found = files.flatMap((file) =>
      leaks(secrets, readFileSync(file, "latin1")).map((name) => `${name} in ${path.relative(stack.folder, file)}`),
    );
    assert.deepEqual(found, []);
  });
});

/** The names of the secrets that a text holds in any form. */
function leaks(secrets: Record<string, string[]>, text: string): string[] {
  return Object.entries(secrets).flatMap(([name, texts]) =>
    texts.some((secret) => findings(text, forms(secret))) ? [name] : [],
  );
}

/** All that must stay secret, by where it comes from. */
async function everySecret(stack: EngineStack): Promise<Record<string, string[]>> {
  const resources = await stack.stateWithSecrets();
  const keys = resources.filter(({ type }) => type === "tls:index/privateKey:PrivateKey");
  const named = keys.map(({ urn, outputs = {} }): [string, string[]] => {
    const texts = ["privateKeyOpenssh", "privateKeyPem", "privateKeyPemPkcs8"].map((name) => plaintext(outputs[name]));
    return [urn.split("::").at(-1)!, [...texts, seedOf(texts[0]!)]];
  });
  return {
    ...Object.fromEntries(named),
    "github token": [TOKEN],
    passphrase: [stack.environment["PULUMI_CONFIG_PASSPHRASE"]!],
  };
}

/** The 32 bytes that make the key, whatever stands around them. */
function seedOf(openssh: string): string {
  const { part } = sshpk.parsePrivateKey(openssh, "ssh-private") as unknown as { part: { k: { data: Buffer } } };
  return part.k.data.subarray(-32).toString("latin1");
}

/** Exported with --show-secrets, a secret is an object with its value as JSON. */
function plaintext(value: unknown): string {
  const text = isObject(value) ? (JSON.parse(value["plaintext"] as string) as unknown) : value;
  assert.ok(typeof text === "string" && text.length > 100, "a key is not where it was expected");
  return text;
}
