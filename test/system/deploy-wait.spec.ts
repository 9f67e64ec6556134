// Machines that are not ready, or not the right ones: what a deployment waits for, for how long, and what it says.
// On the loopback bench (see bench.spec.ts); the machine's boot is played by starting its SSH server late.
import assert from "node:assert/strict";
import { Deployment, deploy, makeKeyPair, type Result } from "../../cli/rehearse/machine";
import { useBench, type Bench } from "../support/bench";
import { activations, assertClientLeftClean } from "../../cli/rehearse/machine/state";

/** A deployment that gave up: within its time, having changed nothing, with a message that says this. */
async function assertGaveUp(setting: Bench, result: Result, seconds: number, ...messages: RegExp[]): Promise<void> {
  assert.notEqual(result.code, 0);
  assert.match(result.stderr, new RegExp(`Waited \\d+ of ${seconds} s\\.`));
  for (const message of messages) {
    assert.match(result.stderr, message);
  }
  assert.deepEqual(await activations(setting.machine), []);
  await assertClientLeftClean(setting);
}

async function writeIdentity(setting: Bench, content: string): Promise<void> {
  await setting.machine.output(
    "umask 377; cat >/var/lib/id_ed25519.new; mv -f /var/lib/id_ed25519.new /var/lib/id_ed25519",
    {
      input: content,
    },
  );
}

describe("a deployment that waits for its machine", () => {
  const it = useBench();

  it("begins when an SSH server that is late is up", async (bench) => {
    const setting = await bench.fresh({ sshd: false });
    const deployment = bench.track(await Deployment.start(setting));
    await deployment.until("the wait", () => /^wait: /m.test(deployment.stderr));
    await setting.machine.output("systemctl start sshd.service");
    const result = await deployment.result();
    assert.equal(result.code, 0, result.stderr);
  });

  // Fault 1
  it("says that nothing listens when the time is over", async (bench) => {
    const setting = await bench.fresh({ sshd: false });
    // Straight to the machine: nobody listens there, whereas the proxy would take the connection.
    const result = await deploy({ ...setting, port: setting.machine.port }, "default", { DEPLOY_WAIT_SECONDS: "3" });
    await assertGaveUp(setting, result, 3, /refused/i, /3 s/);
  });

  // Fault 2
  it("gives up on a port that takes connections and says nothing", async (bench) => {
    const setting = await bench.fresh();
    setting.proxy.set("silent");
    const result = await deploy(setting, "default", { DEPLOY_WAIT_SECONDS: "5" });
    await assertGaveUp(setting, result, 5, /timed out|no answer|does not answer/i);
  });

  for (const identity of ["absent", "empty"] as const) {
    it(`begins when the machine's key, ${identity} at first, is there`, async (bench) => {
      const setting = await bench.fresh({ identity });
      const deployment = bench.track(await Deployment.start(setting));
      await deployment.until("the wait", () => /^wait: \/var\/lib\/id_ed25519/m.test(deployment.stderr));
      assert.deepEqual(await activations(setting.machine), []);
      await writeIdentity(setting, setting.machine.login.privateKey);
      const result = await deployment.result();
      assert.equal(result.code, 0, result.stderr);
    });

    // Fault 3
    it(`says that the machine's key is ${identity} when the time is over`, async (bench) => {
      const setting = await bench.fresh({ identity });
      const result = await deploy(setting, "default", { DEPLOY_WAIT_SECONDS: "4" });
      await assertGaveUp(
        setting,
        result,
        4,
        /\/var\/lib\/id_ed25519/,
        identity === "absent" ? /missing|not there|no such|does not exist|absent/i : /empty/i,
      );
    });
  }

  it("begins when a machine whose keys are being replaced has both new ones", async (bench) => {
    const setting = await bench.fresh();
    const old = await makeKeyPair(setting.client.folder);
    await writeIdentity(setting, old.privateKey);
    await setting.machine.output("cat >/root/.ssh/authorized_keys", { input: old.publicKey });
    const deployment = bench.track(await Deployment.start(setting));
    await deployment.until("the refused login", () => /login key/.test(deployment.stderr));
    await setting.machine.output("cat >/root/.ssh/authorized_keys", { input: setting.machine.login.publicKey });
    await deployment.until("the old key", () => /another key/.test(deployment.stderr));
    assert.deepEqual(await activations(setting.machine), []);
    await writeIdentity(setting, setting.machine.login.privateKey);
    const result = await deployment.result();
    assert.equal(result.code, 0, result.stderr);
  });

  // Fault 30
  it("says that the machine has another key, whose public half it compares", async (bench) => {
    const setting = await bench.fresh();
    await writeIdentity(setting, (await makeKeyPair(setting.client.folder)).privateKey);
    const result = await deploy(setting, "default", { DEPLOY_WAIT_SECONDS: "4" });
    await assertGaveUp(setting, result, 4, /\/var\/lib\/id_ed25519/, /another key|other key|different key/i);
  });

  it("accepts a machine whose own key is meant to be another than the login key", async (bench) => {
    const setting = await bench.fresh();
    const { privateKey, publicKey } = await makeKeyPair(setting.client.folder);
    await writeIdentity(setting, privateKey);
    const result = await deploy(setting, "default", { DEPLOY_MACHINE_PUBLIC_KEY: publicKey });
    assert.equal(result.code, 0, result.stderr);
  });

  // Fault 4
  it("refuses a machine with another host key, and sends it nothing", async (bench) => {
    const setting = await bench.fresh();
    const { publicKey } = await makeKeyPair(setting.client.folder);
    const result = await deploy(setting, "default", { DEPLOY_HOST_KEY: publicKey, DEPLOY_WAIT_SECONDS: "4" });
    await assertGaveUp(setting, result, 4, /host key/i);
    const journal = await setting.machine.output("journalctl --unit=sshd --no-pager --output=cat");
    assert.match(journal, /Connection from 127\.0\.0\.1/);
    assert.doesNotMatch(journal, /publickey|password|Starting session/);
  });

  // Fault 31
  it("says that the machine does not take the login key", async (bench) => {
    const setting = await bench.fresh();
    const { publicKey } = await makeKeyPair(setting.client.folder);
    await setting.machine.output("cat >/root/.ssh/authorized_keys", { input: publicKey });
    const result = await deploy(setting, "default", { DEPLOY_WAIT_SECONDS: "4" });
    await assertGaveUp(setting, result, 4, /login key|private key|Permission denied|log in/i);
  });
});
