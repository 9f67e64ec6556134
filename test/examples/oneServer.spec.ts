import assert from "node:assert/strict";
import { only, plainInputs, TYPES } from "../../cli/rehearse/records";
import { oneServer, OWNER, PROJECT_REPOSITORY } from "./definitions";
import { describeExample } from "./describeExample";

describeExample(oneServer, (stage) => {
  it("follows the repository that the project's flake names", () => {
    const [deployment] = stage().deployments;
    assert.equal(deployment!.environment["DEPLOY_REPOSITORY"], `${OWNER}/${PROJECT_REPOSITORY}`);
    assert.equal(plainInputs(only(stage().run(), TYPES.repository))["name"], PROJECT_REPOSITORY);
  });
});
