// Which changes of the SSH server, of root and of the firewall lock deployments out: the upgrade's own functions before and
// after such a change, on a machine with a real OpenSSH server, in a network of its own. That a revision which makes one is
// taken back shows upgrade-health.spec.ts.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { canRunMachine, startMachine, type Machine } from "../../cli/rehearse/machine";
import { requireOrSkip } from "../require";

const script = path.join(__dirname, "../../nix/upgrade/lockout.sh");
const config = "/etc/ssh/sshd_config";
const keys = "/root/.ssh/authorized_keys";
const add = (...lines: string[]) => `printf '%s\\n' ${lines.map((line) => `'${line}'`).join(" ")} >>${config}`;
const onKeys = (text: string) => `sed -i 's/^/${text}/' ${keys}`;
const noShell = "sed -i 's,^root:.*,root:x:0:0:root:/root:/usr/sbin/nologin,' /etc/passwd";

interface Case {
  what: string;
  /** What the machine is before (default: as it was made). */
  before?: string;
  change: string;
  /** What is said; nothing where the way in is as it was. */
  said?: RegExp;
}
const noLogin = /^root can no longer log in with the machine's key on port \d+$/;
const other = (words: string) => new RegExp(`^the SSH server's settings for root differ: "${words}`);
const lessKey = /^root's authorized key "ssh-ed25519 .*" is gone, or may do less$/;

/** Where the machine has the key of deployments, and logs in as they do. */
const withKey: Case[] = [
  { what: "nothing", change: "" },
  {
    what: "root's login, but from the machine itself",
    change: `sed -i 's/^PermitRootLogin.*/PermitRootLogin no/' ${config}
      ${add("Match Address 127.0.0.1", "PermitRootLogin prohibit-password")}`,
    said: noLogin,
  },
  { what: "the users, to root of the machine itself", change: add("AllowUsers root@127.0.0.1"), said: noLogin },
  { what: "where the key counts", change: onKeys('from="127.0.0.1" '), said: noLogin },
  { what: "what the key may do", change: onKeys('command="true" '), said: noLogin },
  { what: "what everybody may do", change: add("ForceCommand /bin/true"), said: noLogin },
  { what: "the number of sessions, to none", change: add("MaxSessions 0"), said: noLogin },
  { what: "root's shell", change: noShell, said: noLogin },
  {
    what: "the address, to loopback",
    change: `sed -i 's/^ListenAddress.*/ListenAddress 127.0.0.1/' ${config}`,
    said: /listens elsewhere$/,
  },
  {
    what: "the ports, of which one goes",
    before: `sed -i '1i Port 2222' ${config}`,
    change: `cp /run/before/sshd_config ${config}; sed -i 's/^Port .*/Port 2222/' ${config}`,
    said: /^no SSH server answers on port \d+$/,
  },
  {
    what: "the host key, which deployments have pinned",
    change: "rm /etc/ssh/ssh_host_ed25519_key; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key",
    said: /^the SSH server on port \d+ no longer has the host key ssh-ed25519 /,
  },
  {
    what: "another host key beside it",
    before: `ssh-keygen -q -t rsa -N '' -f /run/rsa </dev/null || true; ${add("HostKey /run/rsa")}`,
    change: `cp /run/before/sshd_config ${config}`,
  },
  {
    what: "what IPv6 may reach, by the firewall",
    before: `ip -6 address add 2001:db8::1/64 dev lo nodad; ${add("ListenAddress ::")}`,
    change:
      "nft 'add table ip6 bench; add chain ip6 bench input { type filter hook input priority 0; }; add rule ip6 bench input iif != lo tcp dport != 53 drop'",
    said: /^the firewall shuts port \d+ to IPv6/,
  },
  {
    what: "the addresses, to those of IPv4",
    before: `ip -6 address add 2001:db8::1/64 dev lo nodad; ${add("ListenAddress ::")}`,
    change: `cp /run/before/sshd_config ${config}`,
    said: /^the firewall shuts port \d+ to IPv6, or the SSH server listens elsewhere$/,
  },
  {
    what: "the addresses, to those of IPv4, where there is no other",
    before: add("ListenAddress ::"),
    change: `cp /run/before/sshd_config ${config}`,
  },
  {
    what: "where root comes from, to IPv4",
    before: `ip -6 address add 2001:db8::1/64 dev lo nodad; ${add("ListenAddress ::")}`,
    change: add("AllowUsers root@*.*.*.*"),
    said: /^root can no longer log in with the machine's key on port \d+ by IPv6$/,
  },
  { what: "the users, root among them", change: add("AllowUsers alice root") },
  { what: "the users, to root from elsewhere", change: add("AllowUsers root@198.18.*") },
];

/** Where it has another key, and only compares. */
const withoutKey: Case[] = [
  { what: "nothing", change: "" },
  { what: "the users, without root", change: add("AllowUsers alice"), said: other("allowusers alice") },
  { what: "the users who are refused", change: add("DenyUsers root"), said: other("denyusers root") },
  { what: "the groups that are refused", change: add("DenyGroups r*"), said: other("denygroups r") },
  { what: "what everybody may do", change: add("ForceCommand /bin/true"), said: other("forcecommand none") },
  {
    what: "root's login, for everybody by Match",
    change: add("Match Address *", "PermitRootLogin no"),
    said: other("permitrootlogin"),
  },
  { what: "what the key may do", change: onKeys('command="true" '), said: lessKey },
  { what: "where the key counts", change: onKeys('from="10.0.0.1" '), said: lessKey },
  { what: "the key, to a comment", change: onKeys("#"), said: lessKey },
  { what: "who may write the keys, which the server then does not read", change: `chmod 666 ${keys}`, said: lessKey },
  { what: "root's shell", change: noShell, said: /^root's shell runs no command any more$/ },
  { what: "the comment of the key", change: `sed -i 's/$/ of ssh-somebody/' ${keys}` },
  { what: "lists, which have room for root", change: add("AllowUsers alice r*", "DenyUsers bob") },
  {
    what: "the others in the lists",
    before: add("AllowUsers alice root", "DenyUsers bob"),
    change: `cp /run/before/sshd_config ${config}; ${add("AllowUsers root carl", "DenyUsers carl")}`,
  },
  {
    what: "the keys of a root who may not log in",
    before: `sed -i 's/^PermitRootLogin.*/PermitRootLogin no/' ${config}`,
    change: `rm ${keys}`,
  },
];

describe("the way in for deployments, after a change of", () => {
  let machine: Machine;
  before(async function () {
    const reason = canRunMachine();
    requireOrSkip(this, "systemd", reason === undefined, reason ?? "");
    machine = await startMachine({ ownNetwork: true });
    await machine.output("cat >/run/lockout.sh", { input: fs.readFileSync(script, "utf8") });
    await machine.output(`ssh-keygen -q -t ed25519 -N '' -f /run/other-key
      mkdir /run/before
      cp -p ${config} ${keys} /etc/passwd /etc/ssh/ssh_host_ed25519_key /run/before`);
  });
  after(() => machine?.stop());

  async function said({ before = "", change }: Case, key: string): Promise<string[]> {
    const restart = "systemctl reset-failed sshd.service 2>/dev/null || true; systemctl restart sshd.service";
    const { stdout, stderr, code } = await machine.run(`
      cp -p /run/before/sshd_config ${config}; cp -p /run/before/authorized_keys ${keys}
      ip -6 address flush scope global dev lo; nft flush ruleset
      cp -p /run/before/passwd /etc/passwd; cp -p /run/before/ssh_host_ed25519_key /etc/ssh/
      export PATH=/run/current-system/sw/bin:$PATH UPGRADE_MACHINE_KEY=${key}
      wait_for() { until [[ -n $(banner 127.0.0.1 "$(ports "$(sshd_settings)" | head -n 1)") ]]; do sleep 0.05; done; }
      set -o nounset -o pipefail
      source /run/lockout.sh
      ${before}
      ${restart}; wait_for
      record_access >/run/record
      grep -q '^door ' /run/record
      ${change}
      ${restart}; wait_for
      lost_access /run/current-system /run/record || (($? == 1))`);
    assert.equal(code, 0, stderr);
    return stdout.split("\n").filter(Boolean);
  }

  for (const [where, key, cases] of [
    ["with the key of deployments on the machine", "/var/lib/id_ed25519", withKey],
    ["with another key on the machine", "/run/other-key", withoutKey],
  ] as const) {
    describe(where, () => {
      for (const one of cases) {
        // Fault 115
        it(`${one.what}: ${one.said ? "refused" : "as it was"}`, async () => {
          const lines = await said(one, key);
          if (one.said === undefined) assert.deepEqual(lines, []);
          else
            assert.ok(
              lines.some((line) => one.said!.test(line)),
              lines.join("\n") || "nothing is said",
            );
        });
      }
    });
  }
});
