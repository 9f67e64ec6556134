// What people read when a tool fails. The samples are shortened messages of Nix 2.8 to 2.34, OpenSSH and NixOS.
import assert from "node:assert/strict";
import { buildErrorLine, copyFailed } from "../../components/deploy/build.mjs";
import { DeploymentError, ProgramMissing } from "../../components/deploy/errors.mjs";
import { readable, usefulLine } from "../../components/deploy/nix.mjs";
import { lastWords, sshTrouble } from "../../components/deploy/ssh.mjs";

describe("the useful line of an evaluation's message", () => {
  const cases: Record<string, [string, string]> = {
    "the only error": ["error: attribute 'x' missing\n\n       at flake.nix:3:5:", "error: attribute 'x' missing"],
    "the last error of a trace": [
      "error:\n       … while calling 'head'\n         at a.nix:1:1:\n\n       error: list index 0 is out of bounds\n",
      "error: list index 0 is out of bounds",
    ],
    "the first failed assertion": [
      "error:\n       error:\n       Failed assertions:\n       - The option `a' must be set.\n       - b\n",
      "Failed assertions: - The option `a' must be set.",
    ],
    "the first failed assertion after its error": [
      "error: Failed assertions:\n- The option `a' must be set.\n- b\n",
      "error: Failed assertions: - The option `a' must be set.",
    ],
    "no warning": ["warning: Git tree is dirty\nsomething else\n", "something else"],
    "nothing at all": ["\n", "Nix failed without a message."],
  };
  for (const [what, [message, expected]] of Object.entries(cases)) {
    it(`is ${what}`, () => assert.equal(usefulLine(message), expected));
  }

  it("has the project's paths instead of the store's, and no colours", () => {
    const message = "\u001b[31;1merror:\u001b[0m x at /nix/store/7v1c3q6r5zp3cyw8l8bdgxl1kxvhqb8w-source/www/a.nix:1";
    const flake = { reference: "", flake: "", attribute: "", kind: "path" as const };
    assert.equal(readable(message, { ...flake, folder: "nix" }), "error: x at nix/www/a.nix:1");
    assert.match(readable(message, { ...flake, folder: undefined }), /^error: x at \/nix\/store\//);
  });
});

describe("the first line of a failed build", () => {
  it("is the build that failed, not those that needed it", () => {
    const message = `error: builder for '/nix/store/a.drv' failed with exit code 1;
       last 1 log lines:
       > no rule
error: 1 dependencies of derivation '/nix/store/b.drv' failed to build`;
    assert.equal(buildErrorLine(message), "The build failed: builder for '/nix/store/a.drv' failed with exit code 1;");
  });

  it("is the full disk, where that is the reason", () => {
    assert.equal(
      buildErrorLine("error: builder failed\nerror: writing to file: No space left on device"),
      "The build failed: writing to file: No space left on device",
    );
  });
});

describe("trouble with a connection", () => {
  const cases: [string, string | undefined][] = [
    ["Host key verification failed.", "host-key"],
    ["@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @", "host-key"],
    ["root@192.0.2.1: Permission denied (publickey).", "login"],
    ["ssh: Could not resolve hostname example.invalid: Name or service not known", "address"],
    ["ssh: connect to host 192.0.2.1 port 22: Connection refused", "refused"],
    ["ssh: connect to host 192.0.2.1 port 22: Connection timed out", "silent"],
    ["Connection timed out during banner exchange", "silent"],
    ["ssh: connect to host 192.0.2.1 port 22: No route to host", "silent"],
    ["kex_exchange_identification: read: Connection reset by peer", "lost"],
    ["Timeout, server 192.0.2.1 not responding.", "lost"],
    ["client_loop: send disconnect: Broken pipe", "lost"],
    ["error: failed to start SSH connection to 'root@192.0.2.1'", "lost"],
    ["error: unexpected end-of-file", "lost"],
    ["error: builder for '/nix/store/a.drv' failed with exit code 1", undefined],
    ["", undefined],
  ];
  for (const [words, trouble] of cases) {
    it(`is ${trouble ?? "not what happened"}: ${JSON.stringify(words)}`, () =>
      assert.equal(sshTrouble(words), trouble));
  }

  it("is said in ssh's last words, without its banners", () => {
    assert.equal(lastWords("@@@@@@\nHost key verification failed.\r\n\n"), "Host key verification failed.");
    assert.equal(lastWords(""), "");
  });
});

describe("a copy that fails", () => {
  // What Nix says when the shell at the other end greets, in the form of its sources (legacy-ssh-store.cc), with the protocol's
  // first bytes behind the greeting, as a deployment to a machine with such a shell showed.
  const greeted =
    "error: 'nix-store --serve' protocol mismatch from 'root@192.0.2.1', got 'Welcome\u0002\u0001\u0000RT\u0000'\n";

  // Fault 66
  it("says that the login shell prints, in place of what Nix makes of it", () => {
    const { message, advice } = copyFailed({ code: 1, stdout: "", stderr: greeted, timedOut: false });
    assert.match(message, /root's login shell prints something.*got 'Welcome/);
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(message, /[\u0000-\u001f]/);
    assert.match(advice.join(), /~\/\.bashrc/);
  });

  it("says that the program was killed", () => {
    const { message } = copyFailed({ code: null, signal: "SIGKILL", stdout: "", stderr: "", timedOut: false });
    assert.equal(message, "The build could not be copied: nix-copy-closure was ended by SIGKILL (out of memory?).");
  });
});

describe("a message of the deployment", () => {
  it("says what is wrong, then details, then what to do", () => {
    const error = new DeploymentError("It failed.", { details: "one\ntwo\n", advice: ["Do this."] });
    assert.equal(error.text(), "It failed.\n  one\n  two\nDo this.");
  });

  for (const program of ["nix", "nix-store", "git", "ssh"]) {
    it(`says what to do when ${program} is missing`, () => {
      const { advice } = new ProgramMissing(program);
      assert.ok(advice.length > 0);
    });
  }
});
