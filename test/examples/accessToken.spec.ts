import assert from "node:assert/strict";
import { withoutSecretMarkers } from "../../cli/rehearse/emulators/values";
import { only, plainInputs, TYPES } from "../../cli/rehearse/records";
import { accessToken } from "./definitions";
import { describeExample } from "./describeExample";

describeExample(accessToken, (stage) => {
  it("adds no deploy key to the repository", () => {
    assert.equal(stage().fakes.github.repository("access-token")!.deployKeys.size, 0);
  });

  it("gives user data a key that logs in nowhere", () => {
    const run = stage().run();
    const secretBody = (key: string) => key.trim().split("\n").slice(1, -1).join("\n");
    const keys = run.resources.filter(({ type }) => type === "tls:index/privateKey:PrivateKey");
    const userData = plainInputs(only(run, TYPES.instance))["userData"] as string;
    const inside = keys.filter(({ outputs }) =>
      userData.includes(secretBody(withoutSecretMarkers(outputs)["privateKeyOpenssh"] as string)),
    );
    assert.deepEqual(
      inside.map(({ name }) => name),
      ["nixos-machine-key"],
    );
  });
});
