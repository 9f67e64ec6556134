// What is said of a machine that is not ready, and of a switch that came to nothing.
import assert from "node:assert/strict";
import { MachineReport, ConnectionFailed } from "../../components/deploy/machine.mjs";
import { readSettings } from "../../components/deploy/settings.mjs";
import { rolledBack } from "../../components/deploy/switch.mjs";
import { notReady, unreachable } from "../../components/deploy/wait.mjs";
import { newKey } from "../../cli/rehearse/keys";

const key = newKey();
const settings = readSettings({
  DEPLOY_HOST: "192.0.2.7",
  DEPLOY_HOST_KEY: newKey().publicKeyOpenssh.trim(),
  DEPLOY_PRIVATE_KEY: key.privateKeyOpenssh,
  DEPLOY_DERIVATION: "sha256-x",
});
const SYSTEM = "nixos-deploy system /nix/store/x-nixos-system";

describe("a machine that answers", () => {
  const cases: [string, string, RegExp | undefined][] = [
    ["no key file", "nixos-deploy key-missing ", /id_ed25519 is not there/],
    ["an empty key file", "nixos-deploy key-empty ", /id_ed25519 is empty/],
    ["something else in it", "nixos-deploy key-unreadable ", /holds no private key/],
    ["another key", `nixos-deploy key ${newKey().publicKeyOpenssh}`, /holds another key/],
    ["its key", `nixos-deploy key ${key.publicKeyOpenssh.trim()} comment`, undefined],
  ];
  for (const [what, line, expected] of cases) {
    it(`is ${expected === undefined ? "" : "not "}ready with ${what}`, () => {
      const found = notReady(new MachineReport(`${line.trimEnd()} \n${SYSTEM}\n`), settings);
      if (expected === undefined) assert.equal(found, undefined);
      else {
        assert.match(found?.problem ?? "", expected);
        assert.match(found?.advice.join("\n") ?? "", /amazon-init/);
      }
    });
  }

  it("is not ready when it runs no NixOS", () => {
    const answers = new MachineReport(`nixos-deploy key ${key.publicKeyOpenssh.trim()}\nnixos-deploy system \n`);
    assert.match(notReady(answers, settings)?.problem ?? "", /no NixOS/);
  });
});

describe("a machine that cannot be reached", () => {
  const cases: [string, RegExp, boolean][] = [
    ["Host key verification failed.", /another host key than the pinned one, so nothing was sent/, true],
    ["root@192.0.2.7: Permission denied (publickey).", /refuses the login key/, false],
    ["ssh: Could not resolve hostname x: Name or service not known", /has no address/, false],
    ["ssh: connect to host x port 22: Connection refused", /nothing listens on port 22/, false],
    ["Connection timed out during banner exchange", /does not answer/, false],
    ["kex_exchange_identification: Connection closed by remote host", /ends before the login/, false],
    ["", /ends before the login/, false],
  ];
  for (const [words, expected, hopeless] of cases) {
    it(`${hopeless ? "is given up" : "is waited for"} after: ${words || "nothing"}`, () => {
      const found = unreachable(new ConnectionFailed(words), settings);
      assert.match(found.problem, expected);
      assert.equal(found.hopeSeconds !== undefined, hopeless);
      assert.ok(found.advice.includes(`ssh said: ${words || "ssh gave no reason"}`), found.advice.join("\n"));
    });
  }
});

describe("a switch that came to nothing", () => {
  const known = {
    previous: "/nix/store/a-nixos-system",
    system: "/nix/store/b-nixos-system",
    rebuild: { code: 1, stdout: "", stderr: "the words of the activation", timedOut: false },
    settings,
  };
  const outcome = (guard: string) =>
    rolledBack(
      new MachineReport(`nixos-deploy guard ${guard}\nnixos-deploy system /nix/store/a-nixos-system\n`),
      known,
    ).text();

  it("failed: says the exit code, the activation's words, to what the machine went back and where to look", () => {
    const text = outcome("rolled-back switch-failed-with-2");
    assert.match(
      text,
      /^The activation failed: switch-to-configuration ended with exit code 2\. The machine rolled back to \/nix\/store\/a-nixos-system\.\n/,
    );
    assert.match(text, /the words of the activation/);
    assert.match(text, /will not upgrade to \/nix\/store\/b-nixos-system by itself/);
    assert.match(text, /journalctl/);
  });

  const reasons: [string, RegExp][] = [
    ["rolled-back switch-failed-with-KILL", /ended with KILL\. The machine rolled back/],
    ["rolled-back not-confirmed", /over a new SSH connection within 60 s after the switch\. The machine rolled back/],
    ["rolled-back switch-took-too-long", /longer than 600 s\. The machine rolled back/],
    ["rolled-back restarted", /restarted before the switch was confirmed\. The machine rolled back to/],
    ["rolled-back units-failed", /after the switch\. The machine rolled back to/],
    [
      "rolled-back checks-failed\nnixos-deploy failed-check site",
      /Checks of the system's own .* failed after the switch: the check site\. The machine rolled back to[^]*journalctl --identifier nixos-upgrade-check-site/,
    ],
    ["rolled-back needs-restart", /^Only a restart can bring the machine to this system[^]*ssh root@\S+ 'nix-env /],
    ["rollback-failed not-confirmed", /tried to go back to \/nix\/store\/a-nixos-system, and failed/],
    ["none", /may have restarted/],
  ];
  for (const [guard, expected] of reasons) it(`${guard}: says so`, () => assert.match(outcome(guard), expected));

  for (const reason of ["interrupted", "restarted", "needs-restart", "switch-did-not-begin"]) {
    it(`${reason}: blames nobody's system`, () =>
      assert.doesNotMatch(outcome(`rolled-back ${reason}`), /will not upgrade/));
  }
});
