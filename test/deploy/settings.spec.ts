import assert from "node:assert/strict";
import { DeploymentError } from "../../components/deploy/errors.mjs";
import { readSettings } from "../../components/deploy/settings.mjs";
import { newKey } from "../../cli/rehearse/keys";

const key = newKey();
const other = newKey();
const complete: NodeJS.ProcessEnv = {
  DEPLOY_HOST: "192.0.2.7",
  DEPLOY_HOST_KEY: other.publicKeyOpenssh.trim(),
  DEPLOY_PRIVATE_KEY: key.privateKeyOpenssh,
  DEPLOY_DERIVATION: "/nix/store/7v1c3q6r5zp3cyw8l8bdgxl1kxvhqb8w-nixos-system.drv",
};

/** The text of the one error that these settings are refused with. */
function refusal(env: NodeJS.ProcessEnv): string {
  try {
    readSettings({ ...complete, ...env });
  } catch (error) {
    assert.ok(error instanceof DeploymentError);
    assert.equal(error.exitCode, 2);
    return error.text();
  }
  throw new Error("The settings were accepted.");
}

describe("the settings of a deployment", () => {
  it("have a default for everything but the machine, the keys and the derivation", () => {
    const { flake, machinePublicKey, loginKey, derivation, ...rest } = readSettings(complete);
    assert.equal(flake.reference, "path:./nix#default");
    assert.equal(`${machinePublicKey}\n`, key.publicKeyOpenssh);
    assert.equal(loginKey, key.privateKeyOpenssh);
    assert.equal(derivation, complete["DEPLOY_DERIVATION"]);
    assert.deepEqual(rest, {
      host: "192.0.2.7",
      port: 22,
      hostKey: other.publicKeyOpenssh.trim(),
      buildOn: "host",
      substitute: true,
      confirmSeconds: 60,
      switchSeconds: 600,
      waitSeconds: 600,
      silentSeconds: 7200,
      allowDirty: false,
      allowFailedUnits: false,
      extraArguments: [],
      ageRecipient: "",
      repository: "",
    });
  });

  it("are refused with every problem at once, by name, value and what is allowed", () => {
    const text = refusal({
      DEPLOY_HOST: "-oProxyCommand=x",
      DEPLOY_PORT: "70000",
      DEPLOY_HOST_KEY: "AAAA",
      DEPLOY_FLAKE: "path:./nix",
      DEPLOY_BUILD_ON: "--store",
      DEPLOY_SUBSTITUTE: "yes",
      DEPLOY_CONFIRM_SECONDS: "0",
      DEPLOY_EXTRA_ARGUMENTS: "{}",
      DEPLOY_REPOSITORY: "alone",
    });
    assert.match(text, /^The deployment has 9 problems:/);
    assert.match(text, /DEPLOY_HOST: got "-oProxyCommand=x"; allowed: a DNS name or an IP address\./);
    assert.match(text, /DEPLOY_PORT: got 70000; allowed: a TCP port, a whole number from 1 to 65535\./);
    for (const name of [
      "HOST_KEY",
      "FLAKE",
      "BUILD_ON",
      "SUBSTITUTE",
      "CONFIRM_SECONDS",
      "EXTRA_ARGUMENTS",
      "REPOSITORY",
    ]) {
      assert.match(text, new RegExp(`DEPLOY_${name}: got `));
    }
  });

  it("never repeat what was given for the private key", () => {
    const mangled = key.privateKeyOpenssh.replaceAll("\n", " ");
    const text = refusal({ DEPLOY_PRIVATE_KEY: mangled });
    assert.match(text, /DEPLOY_PRIVATE_KEY: got a text of another form/);
    for (const word of mangled.split(" ").filter(({ length }) => length > 16)) assert.equal(text.includes(word), false);
  });

  for (const host of ["example.org", "192.0.2.1", "2001:db8::1", "::1"]) {
    it(`take ${host} for a host`, () => {
      assert.equal(readSettings({ ...complete, DEPLOY_HOST: host }).host, host);
    });
  }

  it("take a system whose name has dots", () => {
    const { flake } = readSettings({ ...complete, DEPLOY_FLAKE: "path:./nix#web.example.com" });
    assert.equal(flake.attribute, "web.example.com");
    assert.match(refusal({ DEPLOY_FLAKE: 'path:./nix#"a.b"' }), /DEPLOY_FLAKE: got /);
  });

  for (const word of [
    "--fast",
    "--use-remote-sudo",
    "--no-build-nix",
    "--impure",
    "--override-input",
    "--option=--flake",
    "-F",
    "--target-host",
    "--specialisation",
    "--rollback",
  ]) {
    const accepted = word === "--option=--flake";
    it(`${accepted ? "take" : "refuse"} ${word} for nixos-rebuild`, () => {
      const env = { DEPLOY_EXTRA_ARGUMENTS: JSON.stringify([word]) };
      if (accepted) assert.deepEqual(readSettings({ ...complete, ...env }).extraArguments, [word]);
      else assert.match(refusal(env), /DEPLOY_EXTRA_ARGUMENTS: got .*other arguments of nixos-rebuild \(/);
    });
  }

  it("refuse --flake=… too", () => {
    assert.match(refusal({ DEPLOY_EXTRA_ARGUMENTS: '["--flake=path:./other#x"]' }), /set by the property flake/);
  });
});
