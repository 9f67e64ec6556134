// Checks of one's own after a switch (pulumiNixos.upgrade.health.checks), on pull and on push: the real programs under a
// real systemd, commands and a web server as a machine would have them. What it cannot prove: that NixOS puts the files
// where the modules say; the files are written here as the module writes them (test/nix/modules.spec.ts compares).
import assert from "node:assert/strict";
import { canRunMachine, until } from "../../cli/rehearse/machine";
import { Guard } from "../../cli/rehearse/machine/guard";
import { assertSystem } from "../../cli/rehearse/machine/state";
import { startUpgradeBench, type UpgradeBench } from "../../cli/rehearse/upgrade/bench";
import { requireOrSkip } from "../require";

const none = { command: null, url: null, status: 200, body: null, timeoutSeconds: 5 };
const page = { ...none, url: "http://127.0.0.1:8099/page" };
const missing = { ...none, url: "http://127.0.0.1:8099/missing", status: 404 };

/** Checks, and what is said of those that fail. */
const cases: [string, Record<string, object>, RegExp?][] = [
  ["a command that ends well", { good: { ...none, command: "/srv/checks/good" } }],
  [
    "a command that fails",
    { "my.Odd_name-1": { ...none, command: "/srv/checks/bad" } },
    /my\.Odd_name-1 ended with exit code 3/,
  ],
  ["a command that is not there", { gone: { ...none, command: "/srv/checks/gone" } }, /gone ended with exit code/],
  [
    "a command that hangs, and a child of it that takes no notice",
    { hangs: { ...none, command: "/srv/checks/hangs", timeoutSeconds: 1 } },
    /hangs did not end within 1 s/,
  ],
  ["a command that leaves a child behind", { forks: { ...none, command: "/srv/checks/forks" } }],
  ["a command that says more than any pipe takes", { talks: { ...none, command: "/srv/checks/talks" } }],
  ["a command that succeeds when it is asked again", { second: { ...none, command: "/srv/checks/second" } }],
  [
    // The kernel does so where memory is short; the shell around it ends with 137 then.
    "a command that is killed, and succeeds when it is asked again",
    { killed: { ...none, command: "/srv/checks/killed" } },
  ],
  [
    "a command that is always killed",
    { killed: { ...none, command: "/srv/checks/dies" } },
    /killed ended with exit code 137/,
  ],
  ["a command without open files", { closes: { ...none, command: "/srv/checks/closes" } }],
  [
    "a command whose verdict nobody is left to take",
    { good: { ...none, command: "/srv/checks/good" }, "kills-0": { ...none, command: "/srv/checks/kills" } },
    /kills-0 could not be run/,
  ],
  [
    "a command whose verdict nobody is left to tell",
    { good: { ...none, command: "/srv/checks/good" }, "kills-1": { ...none, command: "/srv/checks/kills-all" } },
    /kills-1 could not be run/,
  ],
  ["a page with its text", { page: { ...page, body: "Sign [in" } }],
  ["a page that answers with another status, which is wanted", { missing }],
  ["a page without its text", { page: { ...page, body: "sign" } }, /page answered without the text/],
  [
    "a page that leads elsewhere, which is not gone after",
    { page: { ...page, url: "http://127.0.0.1:8099/moved", status: 302 } },
  ],
  [
    "a page that leads elsewhere, where another answer is wanted",
    { page: { ...page, url: "http://127.0.0.1:8099/moved" } },
    /page answered with status 302, not 200/,
  ],
  [
    "a page by HTTPS that is none",
    { page: { ...page, url: "https://127.0.0.1:8099/page" } },
    /page does not answer \(curl ended with exit code 35\)/,
  ],
  ["a page of another status", { page: { ...page, status: 301 } }, /page answered with status 200, not 301/],
  ["a port that nobody listens at", { page: { ...page, url: "http://127.0.0.1:9/" } }, /page does not answer/],
  [
    "a page that hangs",
    { page: { ...page, url: "http://127.0.0.1:8099/hang", timeoutSeconds: 1 } },
    /page did not answer within 1 s/,
  ],
  [
    "a page without an end",
    { page: { ...page, url: "http://127.0.0.1:8099/endless" } },
    /page answered more than 2 MiB/,
  ],
];

/** Commands as the module writes them, and a web server in a unit. */
const files = `mkdir -p /srv/checks; cd /srv/checks
printf '#!/bin/bash\\n[[ $(id -u) == 0 ]]\\n' >good
printf '#!/bin/bash\\necho what the check says; exit 3\\n' >bad
printf '#!/bin/bash\\ntrap "" TERM; (trap "" TERM; exec -a check-child sleep 1000) & sleep 1000\\n' >hangs
printf '#!/bin/bash\\n(trap "" TERM; exec -a check-child setsid sleep 1000) & exit 0\\n' >forks
printf '#!/bin/bash\\nhead -c 3000000 /dev/zero | tr "\\\\0" x\\n' >talks
printf '#!/bin/bash\\n[[ -e /run/asked ]] || { : >/run/asked; exit 1; }\\n' >second
printf '#!/bin/bash\\n[[ -e /run/asked ]] || { : >/run/asked; bash -c "kill -KILL \\$\\$"; }\\n' >killed
printf '#!/bin/bash\\nbash -c "kill -KILL \\$\\$"; exit $?\\n' >dies
printf '#!/bin/bash\\nexec <&- >&- 2>&-; [[ ! -e /dev/fd/0 ]]\\n' >closes
parent() { printf '$(ps -o ppid= %s | tr -d " ")' "$1"; }
waits='$(pgrep -o -f "systemd-run .*unit=nixos-upgrade-check-kills")'
printf '#!/bin/bash\\nkill -KILL %s; exit 1\\n' "$(parent "$waits")" >kills
printf '#!/bin/bash\\nkill -KILL %s; exit 1\\n' "$(parent "$(parent "$waits")")" >kills-all
chmod +x *
cat >/srv/web.py <<'PYTHON'
import http.server, time
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/hang": time.sleep(1000)
        self.send_response({"/missing": 404, "/moved": 302}.get(self.path, 200))
        if self.path == "/moved": self.send_header("Location", "/page")
        self.end_headers()
        self.wfile.write(b"<p>Sign [in \\xff\\n")
        try:
            while self.path == "/endless": self.wfile.write(b"x" * 65536)
        except OSError: pass
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", 8099), Page).serve_forever()
PYTHON
systemd-run --quiet --unit=bench-web python3 /srv/web.py
until curl --silent http://127.0.0.1:8099/ >/dev/null; do sleep 0.1; done`;

describe("checks of one's own", () => {
  let bench: UpgradeBench;
  let guard: Guard;
  let system: string;

  before(async function () {
    const reason = canRunMachine();
    requireOrSkip(this, "systemd", reason === undefined, reason ?? "");
    bench = await startUpgradeBench(undefined, { ownNetwork: true });
    guard = new Guard(bench.machine);
    await bench.machine.output(files);
    await bench.set({ UPGRADE_HEALTH_SECONDS: "1" });
    await runs();
  });
  after(() => bench?.stop());

  async function runs(checks: Record<string, object> = {}): Promise<void> {
    // As somebody installs it by hand.
    await bench.push({ checks, health: "#!/bin/sh\nexit 0\n" });
    assert.equal(await bench.poll(), true, await bench.journal());
    await settle();
  }
  async function settle(): Promise<void> {
    system = await bench.current();
    await bench.machine.output("rm -f /run/asked; journalctl --rotate --vacuum-time=1s >/dev/null 2>&1");
  }
  /** No check leaves anything behind, whatever it did. */
  async function assertNothingLeft(): Promise<void> {
    const left =
      "pgrep -f '[c]heck-child'; ls -d /run/nixos-upgrade-checks.* 2>/dev/null; systemctl list-units --all --plain --no-legend 'nixos-upgrade-check-*'";
    assert.equal(await bench.machine.output(`{ ${left}; } || true`), "");
  }

  /** Pushes a new system by the guard, as a deployment does; what the guard says at last. */
  async function deploy(checks: Record<string, object>, meanwhile?: () => Promise<void>): Promise<string> {
    await bench.push({ checks });
    const next = await bench.machine.output(
      "nix build --no-link --print-out-paths path:/srv/work/nix#nixosConfigurations.default.config.system.build.toplevel",
    );
    // As one that an earlier deployment has confirmed; the first one of all is kept whatever fails.
    await bench.machine.output(
      `mkdir -p /var/lib/nixos-deploy; echo /nix/store/a.drv ${system} >/var/lib/nixos-deploy/deployed`,
    );
    await guard.arm(next);
    await guard.switch(next);
    if (meanwhile) {
      await until("the checks", async () => (await guard.confirm(next, 0)).stdout.includes("watching"));
      await meanwhile();
    }
    let said = "";
    await until("the verdict", async () => {
      said = (await guard.confirm(next, 1)).stdout;
      return !/^nixos-deploy guard switched/m.test(said);
    });
    if (/guard rolling-back/.test(said)) {
      await until("the rollback", async () => (await guard.state()) === "rolled-back checks-failed");
      await assertSystem(bench.machine, system);
    }
    // Gives its lease back, for which the upgrade waits.
    await guard.call("guard.sh", "abandon", guard.token);
    return said;
  }

  for (const [what, checks, message] of cases) {
    it(`pull, ${what}: the system is ${message ? "taken back, and the check is named" : "kept"}`, async () => {
      await settle();
      const revision = await bench.push({ checks });
      assert.equal(await bench.poll(), message === undefined, await bench.journal());
      const status = await bench.status();
      if (message) {
        assert.deepEqual([status.state, status.lastError?.kind], ["failing", "health"]);
        assert.match(await bench.journal(), new RegExp(`not healthy: the check ${message.source}`));
        await assertSystem(bench.machine, system);
      } else assert.equal(status.revision, revision);
      await assertNothingLeft();
    });

    it(`push, ${what}: the system is ${message ? "taken back, and the check is named" : "kept"}`, async () => {
      await settle();
      const said = await deploy(checks);
      if (message) assert.match(said, new RegExp(`^nixos-deploy failed-check ${message.source.split(" ")[0]}$`, "m"));
      else assert.match(said, /^nixos-deploy guard confirmed/m);
      assert.equal(/failed-check/.test(said), message !== undefined);
      await assertNothingLeft();
    });
  }

  // Fault 130
  it("names a check on the page only where details are for everybody, and what it printed in the journal", async () => {
    for (const details of ["false", "true"]) {
      await bench.set({ UPGRADE_DETAILS: details });
      await runs();
      await bench.push({ checks: { secretName: { ...none, command: "/srv/checks/bad" } } });
      assert.equal(await bench.poll(), false);
      const everything = await bench.machine.output("cat /run/nixos-upgrade/public/*");
      assert.equal(everything.includes("secretName"), details === "true", everything);
      const journal = await bench.machine.output("journalctl --identifier nixos-upgrade-check-secretName --output cat");
      assert.match(journal, /what the check says/);
    }
  });

  describe("that fail before the switch", () => {
    const fails = { broken: { ...none, command: "/srv/checks/bad" } };

    it("pull: the same check does not count, and is named in the journal", async () => {
      await runs(fails);
      const revision = await bench.push({ checks: fails });
      assert.equal(await bench.poll(), true, await bench.journal());
      assert.equal((await bench.status()).revision, revision);
      assert.match(await bench.journal(), /the check broken ended with exit code 3.*, as before the switch/);
    });

    it("push: the same check does not count, and is named", async () => {
      await runs(fails);
      const said = await deploy(fails);
      assert.match(said, /^nixos-deploy guard confirmed/m);
      assert.match(said, /^nixos-deploy known-failed-check broken$/m);
    });

    const other = { broken: { ...fails.broken, timeoutSeconds: 6 } };
    it("pull: one that the new system changes counts", async () => {
      await runs(fails);
      await bench.push({ checks: other });
      assert.equal(await bench.poll(), false);
      await assertSystem(bench.machine, system);
    });

    // Fault 131
    it("push: one that the new system changes counts", async () => {
      await runs(fails);
      assert.match(await deploy(other), /^nixos-deploy failed-check broken$/m);
    });
  });

  it("push: a run of the checks that was killed is a verdict, and is not begun again", async () => {
    await runs();
    const said = await deploy({ hangs: { ...none, command: "/srv/checks/hangs", timeoutSeconds: 20 } }, async () => {
      await bench.machine.output(`
        until systemctl list-units --plain --no-legend "nixos-upgrade-check-hangs*" | grep -q running; do sleep 0.1; done
        systemctl kill --signal=KILL nixos-deploy-checks.service`);
    });
    assert.match(said, /^nixos-deploy failed-check all$/m);
  });

  // Fault 132
  it("push: a deployment that goes away while checks are at work leaves the machine on the system before", async () => {
    await runs();
    await bench.push({ checks: { slow: { ...none, command: "/srv/checks/hangs", timeoutSeconds: 20 } } });
    const next = await bench.machine.output(
      "nix build --no-link --print-out-paths path:/srv/work/nix#nixosConfigurations.default.config.system.build.toplevel",
    );
    await guard.arm(next, { confirmSeconds: 5 });
    await guard.switch(next);
    await until("the checks", async () => (await guard.confirm(next, 0)).stdout.includes("watching"));
    // What the timer would do when its time is over.
    await bench.machine.output("systemctl start nixos-deploy-confirm.service");
    await until("the rollback", async () => (await guard.state()) === "rolled-back not-confirmed");
    await assertSystem(bench.machine, system);
  });
});
