// Only root may reach the instance metadata service: the ruleset of nix/modules/instanceMetadata.nft, loaded by a real nft
// in a network namespace of its own.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import path from "node:path";
import { flakeFolder } from "../../cli/rehearse/upgrade/evaluate";
import { requireCommands, requireOrSkip } from "../require";
import { WAIT_MILLISECONDS } from "../../cli/rehearse/limits.cjs";

const ruleset = path.join(flakeFolder, "modules/instanceMetadata.nft");

/** Runs a script in a namespace where a server answers at the service's addresses, and at another one beside them. */
function inNamespace(script: string) {
  const setup = `set -eu
    ip link set lo up
    ip address add 169.254.169.254/32 dev lo
    ip address add fd00:ec2::254/128 dev lo nodad
    node -e 'for (const host of ["169.254.169.254", "fd00:ec2::254", "127.0.0.1"])
      require("http").createServer((_, r) => r.end("user data")).listen(80, host)' &
    trap 'kill $!' EXIT
    ask() { curl --silent --globoff --max-time 60 "http://$1/" || echo refused; echo; }
    other() { setpriv --reuid=65534 --regid=65534 --clear-groups curl --silent --globoff --max-time 60 "http://$1/" || echo refused; echo; }
    denied() { setpriv --reuid=65534 --regid=65534 --clear-groups curl --silent --globoff --max-time 3 "http://$1/" || echo refused; echo; }
    until [ "$(ask 127.0.0.1)" = "user data" ]; do sleep 0.05; done
    `;
  return spawnSync("unshare", ["--net", "bash", "-c", setup + script], {
    encoding: "utf8",
    timeout: WAIT_MILLISECONDS,
  });
}

describe("the instance metadata service", () => {
  before(function () {
    requireCommands(this, "systemd", "unshare", "nft", "ip", "curl", "setpriv");
    const probe = spawnSync("unshare", ["--net", "nft", "list", "ruleset"], { encoding: "utf8" });
    const why = "needs root, network namespaces and nft (Debian: apt-get install nftables)";
    requireOrSkip(this, "systemd", probe.status === 0, why);
  });

  it("answers everybody without the rules: the test sees what it is about", () => {
    const { stdout, stderr } = inNamespace("other 169.254.169.254; other '[fd00:ec2::254]'");
    assert.equal(stdout, "user data\nuser data\n", stderr);
  });

  it("answers root alone with them, by IPv4 and IPv6, and everything else answers as before", () => {
    const { stdout, stderr } = inNamespace(`nft --file ${ruleset}
      ask 169.254.169.254; ask '[fd00:ec2::254]'
      denied 169.254.169.254; denied '[fd00:ec2::254]'; other 127.0.0.1`);
    // curl's "refused" is followed by the line that ends an answer.
    assert.equal(stdout, "user data\nuser data\nrefused\n\nrefused\n\nuser data\n", stderr);
  });

  it("may have its rules loaded twice and taken away", () => {
    const { stdout, status, stderr } = inNamespace(`nft --file ${ruleset}; nft --file ${ruleset}
      nft list table inet instance_metadata | grep -c 'hook output'
      nft delete table inet instance_metadata
      other 169.254.169.254`);
    assert.deepEqual([status, stdout], [0, "1\nuser data\n"], stderr);
  });
});
