import assert from "node:assert/strict";
import { namedServer } from "./definitions";
import { describeExample } from "./describeExample";
import { ZONE } from "./emulators";

describeExample(namedServer, (stage) => {
  it("has the name lead to the machine before the system that asks for the certificate is deployed", () => {
    const [deployment] = stage().deployments;
    const records = [...deployment!.elsewhere].filter(([id]) => id.startsWith("record-")).map(([, inputs]) => inputs);
    assert.deepEqual(records, [
      {
        zoneId: ZONE.id,
        name: "www.example.com",
        type: "A",
        ttl: 300,
        records: [deployment!.environment["DEPLOY_HOST"]],
      },
    ]);
  });

  it("tells the address of the page by its name", () => {
    assert.equal(stage().run().outputs["url"], "https://www.example.com");
  });
});
