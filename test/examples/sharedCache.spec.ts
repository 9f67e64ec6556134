import assert from "node:assert/strict";
import { isMarkedSecret } from "../../cli/rehearse/emulators/values";
import { only, plainInputs, TYPES } from "../../cli/rehearse/records";
import { sharedCache } from "./definitions";
import { describeExample } from "./describeExample";

describeExample(sharedCache, (stage) => {
  it("lets the machine of the other stack into the bucket", () => {
    const profile = plainInputs(only(stage().run("dev"), TYPES.instance))["iamInstanceProfile"];
    assert.equal(profile, stage().run("shared").outputs["readerProfileName"]);
    assert.match(String(profile), /^builds-reader-profile-/);
  });

  it("tells what nix/cache.json needs, and the signing key as a secret", () => {
    const { substituter, publicKey, secretKey } = stage().run("shared").outputs;
    assert.match(String(substituter), /^s3:\/\/builds-[0-9a-f]{7}\?region=us-east-1$/);
    assert.match(String(publicKey), /^builds-1:[A-Za-z0-9+/]{43}=$/);
    assert.ok(isMarkedSecret(secretKey));
  });
});
