/**
 * Both searches of a flake's folder on texts that are made to be slow, and on what cannot be searched at all. The
 * processor's time for a text is compared with that for a quarter of it: no clock, as the computer may be busy.
 * Cannot prove: that the time is linear on texts that nobody thought of.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { flakeFolder, nixMissing } from "../../cli/rehearse/upgrade/evaluate";
import { hasCommand } from "../../cli/rehearse/commands";
import { requireOrSkip } from "../require";

const PROGRAM = [process.execPath, "components/deploy/flakeSecrets.mjs"];
const NIX = ["nix-instantiate", "--eval", "--strict", "--json"];

interface Answer {
  status: number | null;
  text: string;
  /** Of the processor, in seconds. */
  seconds: number;
}

const searches: { name: string; marks: number; needsNix: boolean; command: (folder: string) => string[] }[] = [
  { name: "the program", marks: 1_000_000, needsNix: false, command: (folder) => [...PROGRAM, folder] },
  {
    name: "Nix",
    marks: 200_000,
    needsNix: true,
    command: (folder) => [...NIX, "--expr", `import ${flakeFolder}/secretFiles.nix (/. + ${JSON.stringify(folder)})`],
  },
];

for (const { name, marks, needsNix, command } of searches) {
  describe(`the search for secrets, by ${name}`, () => {
    let folder: string;
    before(function () {
      if (needsNix) requireOrSkip(this, "nix", nixMissing() === undefined, nixMissing() ?? "");
    });
    beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "slow-shapes-"))));
    afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

    function search(...prefix: string[]): Answer {
      const script = 'TIMEFORMAT="seconds %U"; time "$@" 2>&1';
      const { status, stdout, stderr } = spawnSync("bash", ["-c", script, "bash", ...prefix, ...command(folder)], {
        encoding: "utf8",
        env: { ...process.env, LC_ALL: "C", NIX_CONFIG: "build-users-group =" },
      });
      const seconds = Number(/seconds (\S+)/.exec(stderr)?.[1]);
      assert.ok(seconds >= 0, stderr);
      return { status, text: stdout, seconds };
    }

    /** The answer on a file's whole text, after a comparison with a quarter of it. */
    function inProportion(file: string, text: (count: number) => string, count: number): Answer {
      const place = path.join(folder, file);
      fs.writeFileSync(place, text(count / 4));
      const quarter = search();
      fs.writeFileSync(place, text(count));
      const whole = search();
      // Half a second is mostly the start of the process.
      if (whole.seconds >= 0.5) {
        const ratio = whole.seconds / quarter.seconds;
        assert.ok(ratio < 10, `${whole.seconds} s, ${ratio} times as long as a quarter`);
      }
      return whole;
    }

    const key = () => `-----BEGIN PRIVATE ${"KEY"}-----\n${"MIIEvQIBADANBgkq".repeat(4)}\n`;
    for (const [file, mark] of [
      ["x.txt", "=="],
      ["x.txt", `PRIVATE ${"KEY"}`],
      ["x.txt", "ghp_"],
      ["x.txt", "rivateKey"],
      [".env", "="],
      [".env", "://"],
      ["secrets.toml", "="],
      ["prod-secrets.json", "password:"],
    ] as const) {
      it(`ends on one line of ${marks} times ${mark} in ${file}, and sees what is behind them`, () => {
        const { text } = inProportion(file, (count) => `${mark.repeat(count)}\n${key()}`, marks);
        assert.match(text, new RegExp(`${file.replace(".", "[.]")}: it holds a private key`));
      });
    }

    for (const [file, before, after] of [
      ["x.txt", "a: ", "x"],
      [".env", "DB_PASSWORD", "= $X"],
      [".env", "DB_PASSWORD=", "$X"],
      ["vpn.nix", "privateKey", "= x"],
      ["secrets.toml", "password =", "$X"],
      ["x.txt", `-----BEGIN PRIVATE ${"KEY"}-----`, "x"],
      [".netrc", "password", "x"],
    ] as const) {
      it(`ends on 60,000 spaces after ${before} in ${file}`, () => {
        const answer = inProportion(file, (count) => `${before}${" ".repeat(count)}${after}\n`, 60_000);
        assert.equal(answer.status, 0, answer.text);
        assert.match(answer.text, /^\[\]$|no private key, no secret in plain text$/m);
      });
    }

    it("refuses a text above the largest size", () => {
      fs.writeFileSync(path.join(folder, "large.txt"), `${`${"a".repeat(99)}\n`.repeat(1_000_000)}b`);
      assert.match(search().text, /large\.txt: it is a text of more than 100 MB/);
    });

    for (const what of ["file", "folder"]) {
      it(`names a ${what} that it may not read, and does not take it for one without secrets`, () => {
        // Who is root reads everything, but for the capabilities that this takes away.
        const root = process.getuid?.() === 0;
        assert.ok(!root || hasCommand("setpriv"), "setpriv is not on PATH (util-linux)");
        const place = path.join(folder, "locked");
        if (what === "file") fs.writeFileSync(place, "x\n", { mode: 0 });
        else fs.mkdirSync(place, { mode: 0 });
        const { status, text } = search(...(root ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] : []));
        fs.chmodSync(place, 0o700);
        assert.notEqual(status, 0);
        assert.match(text, /locked.*(EACCES|Permission denied)/);
      });
    }
  });
}
