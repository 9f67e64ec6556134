// The table of what a machine may answer, held against the scripts that answer. What a real connection does with hostile
// answers is in test/system/hostileMachine.spec.ts.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { isStorePath, readAnswers } from "../../components/deploy/answers.mjs";
import { asEvaluated } from "../../components/deploy/build.mjs";
import { Processes } from "../../components/deploy/process.mjs";
import { failureOf, programFolder, temporaryFolder, writeProgram } from "./support";

const STORE_PATH = `/nix/store/${"a".repeat(32)}-nixos-system-26.05`;

/** An answer of each kind, as the scripts give it. */
const ANSWERS: Record<string, string[]> = {
  "key-missing": [""],
  "key-empty": [""],
  "key-unreadable": [""],
  key: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOP7", 'ssh-rsa AAAAB3NzaC1yc2E= me@höst, the "second"'],
  system: [STORE_PATH, "", "/run/current-system"],
  profile: [STORE_PATH, "", "/nix/var/nix/profiles/system"],
  previous: [STORE_PATH, ""],
  armed: [STORE_PATH],
  "guard-system": [STORE_PATH, ""],
  protocol: ["1", ""],
  "guard-protocol": ["1", ""],
  "no-way-back": [STORE_PATH, "", "/run/current-system"],
  built: [STORE_PATH],
  "build-failed": ["1", "100", "255"],
  deployed: ["", `${STORE_PATH}.drv ${STORE_PATH}`, `sha256-${"0".repeat(64)} ${STORE_PATH}`],
  upgrade: ["active", "inactive", "activating", "failed", "unknown", ""],
  lease: ["", "0123456789abcdef01234567 1790000000 me@host-1 process 7"],
  held: ["0123456789abcdef01234567 1790000000 me@host-1 process 7"],
  lost: ["", "0123456789abcdef01234567 1790000000 me@host-1 process 7"],
  leased: ["", "0123456789abcdef01234567"],
  guard: [
    "none",
    "armed",
    "switched 4",
    "rolled-back switch-failed-with-KILL",
    "rolled-back switch-failed-with-RTMIN+3",
    "rolling-back not-confirmed",
  ],
  busy: ["switching", "armed"],
  "guard-token": ["", "0123456789abcdef01234567"],
  probed: [""],
  "failed-unit": ["nginx.service", "-.mount", String.raw`dev-disk-by\x2dlabel-x.swap`, "user@1000.service"],
  "known-failed-unit": ["postgresql.service", String.raw`systemd-fsck@dev-disk-by\x2duuid-x.service`],
  "failed-check": ["site", "my.Odd_name-1"],
  "known-failed-check": ["site"],
  watching: ["1", "15"],
  "reboot-needed": [""],
  unkept: [""],
  takes: [""],
  unreleased: ["", "CI has released nothing yet."],
  change: ["nginx: 1.26.2 → 1.28.0, \u001b[31;1m+12.3 KiB\u001b[0m", "linux: ε → ∅"],
  repository: ['{"revision":"0123","expires":null,"error":null}', ""],
};

describe("the answers of a machine", () => {
  it("are known by every name that the scripts say", () => {
    const folder = path.join(programFolder, "remote");
    const said = fs
      .readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".sh"))
      .flatMap((file) => [...fs.readFileSync(path.join(folder, file), "utf8").matchAll(/\bsay ([a-z-]+)/g)])
      .map(([, name]) => name!);
    assert.ok(said.length > 20);
    for (const name of said)
      assert.ok(name in ANSWERS, `say ${name}: answers.mjs needs its form, and this test a case`);
  });

  for (const [name, values] of Object.entries(ANSWERS)) {
    for (const value of values) {
      it(`may be ${name} ${JSON.stringify(value)}`, () => {
        assert.deepEqual(readAnswers("changes", `nixos-deploy ${name} ${value}\n`).lines, [
          { name, value: value.trim() },
        ]);
      });
    }
  }

  it("that nobody knows are not heard", () => {
    assert.deepEqual(readAnswers("changes", "nixos-deploy constructor x\nnixos-deploy other y\n").lines, []);
  });

  it("are not endless", () => {
    const many = "nixos-deploy change x\n".repeat(6000);
    assert.throws(() => readAnswers("changes", many), /more than 5000 lines/);
    assert.throws(() => readAnswers("changes", `nixos-deploy change ${"x".repeat(30_000)}\n`), /"change" is/);
  });
});

describe("what a machine or a builder says that it built", () => {
  const OTHER = STORE_PATH.replace("nixos-system", "backdoor");
  /** On a computer whose store has the derivation, and whose Nix knows what it makes. */
  const accepted = async (built: string) => {
    const folder = temporaryFolder();
    try {
      const derivation = path.join(folder, "x.drv");
      fs.writeFileSync(derivation, "");
      writeProgram(folder, "nix-store", `echo ${STORE_PATH}`);
      return await asEvaluated(built, derivation, { processes: new Processes({ PATH: `${folder}:/usr/bin:/bin` }) });
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  };

  it("is what was evaluated, and nothing else", async () => {
    assert.equal(await accepted(STORE_PATH), STORE_PATH);
    assert.match(
      (await failureOf(() => accepted(OTHER))).message,
      /it says that it built .*backdoor.*, but .*x\.drv makes/,
    );
    for (const other of ["", "/etc/passwd", `${STORE_PATH}\n${OTHER}`, `${STORE_PATH} --option x`])
      assert.match((await failureOf(() => accepted(other))).message, /is no path of the Nix store/);
  });
});

describe("a path of the store", () => {
  it("is nothing else", () => {
    assert.equal(isStorePath(STORE_PATH), true);
    for (const other of [
      "",
      "/nix/store/x",
      `${STORE_PATH}/bin`,
      `${STORE_PATH}\n`,
      `${STORE_PATH} x`,
      `x${STORE_PATH}`,
    ])
      assert.equal(isStorePath(other), false, other);
  });
});
