/**
 * Words on their way through a shell: `quoted` gives each to the program as it is, whatever is in it, and nothing else
 * runs. FUZZ_RUNS sets the number of cases.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { quoted } from "../../components/deploy/machine.mjs";
import { WAIT_MILLISECONDS } from "../../cli/rehearse/limits.cjs";
import { near, RUNS } from "./fuzz";

const AT_ONCE = 1000;

describe("fuzz: words of a command", () => {
  it("reach the program as they are, and run nothing", () => {
    // No program can be given a NUL, and half a character becomes another on its way.
    const word = near("path:./nix#default", "touch made").filter((text) => !/[\0\p{Surrogate}]/u.test(text));
    const folder = mkdtempSync(path.join(tmpdir(), "words-"));
    try {
      for (let done = 0; done < RUNS; done += AT_ONCE) {
        const words = fc.sample(word, AT_ONCE);
        const input = `printf '%s\\0' ${words.map(quoted).join(" ")}`;
        const { stdout, stderr, status } = spawnSync("bash", {
          input,
          encoding: "utf8",
          cwd: folder,
          timeout: WAIT_MILLISECONDS,
        });
        assert.equal(status, 0, stderr);
        assert.deepEqual(stdout.split("\0").slice(0, -1), words);
      }
      assert.deepEqual(readdirSync(folder), []);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
