/**
 * The whole program, index.ts, with the defaults of Pulumi.yaml, against mocks: every resource, and every output.
 * Cannot prove: that the engine and the providers take it (`npm run rehearse` where there is an engine).
 */
import assert from "node:assert/strict";
import { DERIVATION, IMAGES } from "./support/cloud";
import { cloudResources, only, plainTextsOf, table } from "./support/mocks";
import { Project } from "./support/program";
import { Secret } from "./support/wire";

describe("the program", () => {
  const project = new Project();
  let byDefault: Awaited<ReturnType<Project["run"]>>;
  before(async () => {
    byDefault = await project.run();
  });
  after(() => project.remove());

  it("registers these resources and no other", () => {
    const { resources } = byDefault;
    assert.deepEqual(
      table(resources),
      [
        "pulumi:pulumi:Stack pulumi-nixos-test in -",
        "nixos:index:ContinuousDeployment nixos in pulumi-nixos-test",
        "tls:index/privateKey:PrivateKey nixos-host-key in nixos",
        "nixos:index:SshKeyPair nixos-key in nixos",
        "tls:index/privateKey:PrivateKey nixos-key in nixos-key",
        "aws:ec2/keyPair:KeyPair nixos-key-key-pair in nixos-key",
        "nixos:index:ProtectedRepository nixos-repository in nixos",
        "github:index/repository:Repository nixos-repository in nixos-repository",
        "github:index/branchProtection:BranchProtection nixos-repository-protection in nixos-repository",
        "github:index/repositoryDeployKey:RepositoryDeployKey nixos-repository-deploy-key in nixos-repository",
        "nixos:index:NixosInstance nixos in nixos",
        "aws:ec2/securityGroup:SecurityGroup nixos-security-group in nixos",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule nixos-ssh-0.0.0.0_0 in nixos",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule nixos-ssh---_0 in nixos",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule nixos-http-0.0.0.0_0 in nixos",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule nixos-http---_0 in nixos",
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule nixos-out-ipv4 in nixos",
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule nixos-out-ipv6 in nixos",
        "aws:ec2/instance:Instance nixos in nixos",
        "aws:ec2/eip:Eip nixos-address in nixos",
        "nixos:index:NixosDeployment nixos-deployment in nixos",
        "command:local:Command nixos-deployment in nixos-deployment",
      ].sort(),
    );
  });

  it("asks for the image and for the evaluation once each, and looks for rules that are not ours", () => {
    const { invokes } = byDefault;
    const rules = "aws:vpc/getSecurityGroupRules:getSecurityGroupRules";
    const expected = ["aws:ec2/getAmiIds:getAmiIds", rules, rules, "command:local:run"];
    assert.deepEqual(invokes.map(({ token }) => token).sort(), expected.sort());
  });

  it("gives each resource what tells it apart", () => {
    const { resources } = byDefault;
    const machine = only(resources, "aws:ec2/instance:Instance").inputs;
    assert.equal(machine["ami"], IMAGES[0]);
    assert.equal(machine["instanceType"], "t3.small");
    assert.equal((machine["rootBlockDevice"] as { volumeSize: number }).volumeSize, 20);
    assert.ok(machine["userData"] instanceof Secret);
    const repository = only(resources, "github:index/repository:Repository").inputs;
    assert.equal(repository["name"], "server");
    assert.equal(repository["visibility"], "private");
    const rule = only(resources, "github:index/branchProtection:BranchProtection").inputs;
    assert.deepEqual(rule["requiredStatusChecks"], [
      { strict: true, contexts: ["Evaluate flake.nix", "nixosConfig default"] },
    ]);
    assert.equal(only(resources, "github:index/repositoryDeployKey:RepositoryDeployKey").inputs["readOnly"], true);
    const command = only(resources, "command:local:Command").inputs;
    assert.equal(command["create"], "components/deploy/deploy.mjs");
    const environment = command["environment"] as Record<string, unknown>;
    assert.equal(environment["DEPLOY_HOST"], "192.0.2.7");
    assert.equal(environment["DEPLOY_FLAKE"], "path:./nix#default");
    assert.equal(environment["DEPLOY_DERIVATION"], DERIVATION);
    assert.equal(environment["DEPLOY_REPOSITORY"], "octo/server");
    assert.equal((command["triggers"] as unknown[])[1], "nixos-id");
  });

  it("exports these outputs, of which the private keys are secret", () => {
    const { resources, cloud } = byDefault;
    const outputs = only(resources, "pulumi:pulumi:Stack").outputs!;
    const secrets = Object.keys(outputs).filter((name) => outputs[name] instanceof Secret);
    assert.deepEqual(secrets.sort(), ["identityKey", "loginKey", "machineKey", "privateKey"]);
    const expected = [
      ...["publicDns", "publicIp", "url", "sshCommand", "instanceId", "repositoryUrl", "upgradeFlake", "ageRecipient"],
      ...[
        "ageRecipients",
        "keyVersions",
        "keyGenerations",
        "loginPublicKeys",
        "hostPublicKey",
        "derivation",
        "privateKey",
      ],
      ...["loginKey", "machineKey", "identityKey", "cacheSubstituter", "cachePublicKey"],
    ];
    // Beside them only what to do next, which depends on the checkout.
    assert.deepEqual(
      Object.keys(outputs)
        .filter((name) => name !== "nextStep")
        .sort(),
      expected.sort(),
    );
    assert.equal(outputs["publicIp"], "192.0.2.7");
    assert.equal(outputs["publicDns"], "ec2-192-0-2-7.compute-1.amazonaws.com");
    assert.equal(outputs["url"], "http://ec2-192-0-2-7.compute-1.amazonaws.com");
    assert.equal(outputs["sshCommand"], "ssh -i id_ed25519 root@ec2-192-0-2-7.compute-1.amazonaws.com");
    assert.equal(outputs["instanceId"], "nixos-id");
    assert.equal(outputs["repositoryUrl"], "https://github.com/octo/server");
    assert.equal(outputs["upgradeFlake"], "git+ssh://git@github.com/octo/server?ref=main&dir=nix#default");
    assert.equal(outputs["cacheSubstituter"], "");
    assert.equal(outputs["derivation"], DERIVATION);
    assert.equal(outputs["hostPublicKey"], cloud.keys.get("nixos-host-key")!.publicKeyOpenssh.trim());
    assert.deepEqual(outputs["loginKey"], new Secret(cloud.keys.get("nixos-key")!.privateKeyOpenssh));
    // Those of the last version, for one version more.
    for (const [old, now] of Object.entries({ privateKey: "loginKey", identityKey: "machineKey" }))
      assert.deepEqual(outputs[old], outputs[now], old);
    assert.deepEqual(outputs["keyGenerations"], outputs["keyVersions"]);
  });

  it("shows no private key in any plain input, output, warning or invoke", () => {
    const texts = plainTextsOf(byDefault);
    assert.ok(texts.length > 100);
    assert.deepEqual(
      texts.filter((text) => text.includes("PRIVATE KEY")),
      [],
    );
  });

  it("follows the stack's configuration and repository.json", async () => {
    const { resources } = await project.run({
      config: {
        "pulumi-nixos:machine.instanceType": "m7i.large",
        "pulumi-nixos:repository.branchProtection": "off",
        "pulumi-nixos:machine.httpIpv6CidrBlocks": "[]",
        "pulumi-nixos:machine.amiId": "ami-12345678",
      },
      repository: { owner: "octo", name: "other", branch: "live", access: "token" },
    });
    const machine = only(resources, "aws:ec2/instance:Instance").inputs;
    assert.equal(machine["instanceType"], "m7i.large");
    assert.equal(machine["ami"], "ami-12345678");
    // Three less than by default: no rule of protection, no deploy key, no way in by IPv6 for the web.
    assert.equal(cloudResources(resources).length, 13);
    assert.equal(
      only(resources, "pulumi:pulumi:Stack").outputs!["upgradeFlake"],
      "github:octo/other/heads/live?dir=nix#default",
    );
  });

  it("warns by default of the one thing that it cannot know, the plan", () => {
    const { warnings } = byDefault;
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, /GitHub protects branches of private repositories on paid plans only/);
  });

  it("registers nothing but the stack while repository.json has no owner, and says what to write", async () => {
    const repository = { owner: "", name: "server", branch: "main", access: "deploy-key" };
    const { error, resources, invokes } = await project.refusal({ repository });
    assert.match(
      error.message,
      /nix\/repository\.json, owner: is empty\. Write your GitHub user or organization there/,
    );
    assert.deepEqual(table(resources), ["pulumi:pulumi:Stack pulumi-nixos-test in -"]);
    assert.deepEqual(invokes, []);
  });

  it("registers nothing but the stack when its configuration is wrong, and reports all of it", async () => {
    const { error, resources, invokes } = await project.refusal({
      config: {
        "pulumi-nixos:machine.instanceTyp": "t3.small",
        "pulumi-nixos:machine.release": "26.5",
        "pulumi-nixos:machine.instanceType": "t4g.small",
        "pulumi-nixos:machine.sshCidrBlocks": '["10.0.0.0/33"]',
        "pulumi-nixos:machine.httpPorts": "[0,70000]",
        "pulumi-nixos:machine.rootVolumeGiB": "7",
        "pulumi-nixos:deployment.flake": "path:./nix#",
        "pulumi-nixos:repository.requiredChecks": "[]",
        "aws:region": "nowhere",
        "github:token": "ghp_x\nghp_y",
      },
    });
    assert.match(error.message, /^The configuration of this stack has 11 problems:\n/);
    assert.deepEqual(table(resources), ["pulumi:pulumi:Stack pulumi-nixos-test in -"]);
    assert.deepEqual(invokes, []);
  });
});
