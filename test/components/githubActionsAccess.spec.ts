/**
 * GithubActionsAccess against mocks: who may take which role, and what each role may do by an evaluator of policies.
 * Cannot prove: that GitHub's tokens carry these claims, that AWS's provider calls nothing that is missing here, or that
 * AWS compares as the evaluator does (test/support/iam.ts says what that does not know).
 */
import assert from "node:assert/strict";
import { GithubActionsAccess, type GithubActionsAccessArgs } from "../../components/index";
import type { Statement } from "../../components/githubActionsPolicies";
import { awaited } from "../support/awaited";
import { cloud, rolesAsMade } from "../support/cloud";
import { allows, type Call, type Token, trusts } from "../support/iam";
import { type Answers, cloudResources, only, refusal, type Registered, run } from "../support/mocks";

const PROVIDER = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com";
const CACHE = "arn:aws:s3:::builds";
const STATE = { stateBucketArn: "arn:aws:s3:::state", stateKeyArn: "arn:aws:kms:us-east-1:123456789012:key/1a2b" };

function answers() {
  const { invokes, ...others } = cloud();
  return {
    ...others,
    invokes: { ...invokes, ...rolesAsMade() },
    resources: {
      "aws:iam/openIdConnectProvider:OpenIdConnectProvider": () => ({ arn: PROVIDER }),
      "aws:iam/role:Role": (name: string) => ({ name, arn: `arn:aws:iam::123456789012:role/${name}` }),
      "aws:iam/rolePolicy:RolePolicy": () => ({}),
    },
  };
}

const build = (args: Partial<GithubActionsAccessArgs> = {}) =>
  run(answers(), () => new GithubActionsAccess("ci", { owner: "octo", repositoryName: "server", ...args }));

const trustOf = (resources: Registered[], role: string) =>
  only(resources, "aws:iam/role:Role", role).inputs["assumeRolePolicy"] as string;

function statementsOf(resources: Registered[], role: string): Statement[] {
  const { policy } = only(resources, "aws:iam/rolePolicy:RolePolicy", `${role}-policy`).inputs;
  return (JSON.parse(policy as string) as { Statement: Statement[] }).Statement;
}

/** What AWS knows of a tag that is put on a thing as it is made. */
const tagged = (CreateAction: string) => ({ "ec2:CreateAction": CreateAction });

describe("GithubActionsAccess", () => {
  it("makes the OIDC provider and a role each for previews, deployments and drift", async () => {
    const { resources } = await build();
    assert.deepEqual(cloudResources(resources).sort(), [
      "aws:iam/openIdConnectProvider:OpenIdConnectProvider ci",
      "aws:iam/role:Role ci-deploy",
      "aws:iam/role:Role ci-drift",
      "aws:iam/role:Role ci-preview",
      "aws:iam/rolePolicy:RolePolicy ci-deploy-policy",
      "aws:iam/rolePolicy:RolePolicy ci-drift-policy",
      "aws:iam/rolePolicy:RolePolicy ci-preview-policy",
    ]);
  });

  it("adopts the account's provider, of which there can be only one", async () => {
    const { resources, result } = await build({ oidcProviderArn: PROVIDER });
    assert.equal(
      cloudResources(resources).some((resource) => resource.includes("OpenIdConnectProvider")),
      false,
    );
    assert.equal(await awaited(result.oidcProviderArn), PROVIDER);
  });

  // Of jobs of a repository, by where they run; `place` is what stands before the last colon of the subject.
  const CLASSIC = "repo:octo/server";
  const IMMUTABLE = "repo:octo@12/server@345";
  const job = (place: string, rest: string, ref: string): Token => ({ sub: `${place}:${rest}`, ref });
  const onBranch = (place: string, branch: string) => job(place, `ref:refs/heads/${branch}`, `refs/heads/${branch}`);
  const inEnvironment = (place: string, environment: string, ref: string) =>
    job(place, `environment:${environment}`, ref);
  const ofPullRequest = (place: string) => job(place, "pull_request", "refs/pull/7/merge");

  for (const [form, place, numbers] of [
    ["classic", CLASSIC, {}],
    ["immutable", IMMUTABLE, { ownerId: 12, repositoryId: 345 }],
  ] as const) {
    describe(`with the ${form} subject`, () => {
      const roles = ["ci-deploy", "ci-drift", "ci-cache"];
      const given = { ...numbers, cacheBucketArn: CACHE };

      it("trusts jobs of main, before and after their workflow names the environment of the branch", async () => {
        const { resources } = await build(given);
        for (const role of roles) {
          const trust = trustOf(resources, role);
          assert.equal(trusts(trust, onBranch(place, "main")), true, role);
          assert.equal(trusts(trust, inEnvironment(place, "trusted-branch", "refs/heads/main")), true, role);
        }
      });

      it("trusts no job of another branch, be it in an environment that GitHub made without rules", async () => {
        const { resources } = await build({ ...given, environment: "production" });
        const others = [
          onBranch(place, "other"),
          ofPullRequest(place),
          inEnvironment(place, "production", "refs/heads/other"),
          inEnvironment(place, "trusted-branch", "refs/heads/other"),
          inEnvironment(place, "trusted-branch", "refs/pull/7/merge"),
          job(place, "ref:refs/tags/main", "refs/tags/main"),
        ];
        for (const role of roles) {
          for (const token of others) {
            assert.equal(trusts(trustOf(resources, role), token), false, `${role} ${JSON.stringify(token)}`);
          }
        }
      });

      it("trusts one environment on main for deployments where there is one, and nothing else", async () => {
        const { resources } = await build({ ...given, environment: "production" });
        const trust = trustOf(resources, "ci-deploy");
        assert.equal(trusts(trust, inEnvironment(place, "production", "refs/heads/main")), true);
        assert.equal(trusts(trust, onBranch(place, "main")), false);
        assert.equal(trusts(trust, inEnvironment(place, "trusted-branch", "refs/heads/main")), false);
      });

      it("trusts pull requests, and nothing else, for previews", async () => {
        const trust = trustOf((await build(given)).resources, "ci-preview");
        assert.equal(trusts(trust, ofPullRequest(place)), true);
        assert.equal(trusts(trust, onBranch(place, "main")), false);
      });

      it("trusts no pull request of Dependabot with what opens the state", async () => {
        const byDependabot = { ...ofPullRequest(place), actor: "dependabot[bot]" };
        const byPerson = { ...ofPullRequest(place), actor: "octocat" };
        for (const [previews, trusted] of [
          ["state", false],
          ["cloud", true],
        ] as const) {
          const trust = trustOf((await build({ ...given, previews })).resources, "ci-preview");
          assert.equal(trusts(trust, byDependabot), trusted, previews);
          assert.equal(trusts(trust, byPerson), true, previews);
        }
      });

      it("trusts the other form of the subject, another repository and another audience never", async () => {
        const { resources } = await build(given);
        const other = place === CLASSIC ? IMMUTABLE : CLASSIC;
        for (const role of [...roles, "ci-preview"]) {
          const trust = trustOf(resources, role);
          for (const token of [onBranch(other, "main"), ofPullRequest(other), ofPullRequest("repo:octo/other")]) {
            assert.equal(trusts(trust, token), false);
          }
          assert.equal(trusts(trust, { ...onBranch(place, "main"), aud: "https://github.com/octo" }), false);
        }
      });
    });
  }

  it("trusts another branch than main where it is chosen", async () => {
    const { resources } = await build({ branch: "stable" });
    assert.equal(trusts(trustOf(resources, "ci-deploy"), onBranch(CLASSIC, "stable")), true);
    assert.equal(trusts(trustOf(resources, "ci-deploy"), onBranch(CLASSIC, "main")), false);
  });

  it("lets the branch, and only it, fill the cache", async () => {
    const { resources, result } = await build({ cacheBucketArn: CACHE, environment: "production" });
    assert.equal(trusts(trustOf(resources, "ci-cache"), onBranch(CLASSIC, "main")), true);
    assert.deepEqual(
      statementsOf(resources, "ci-cache").map(({ Resource }) => Resource),
      [[CACHE], [`${CACHE}/*`]],
    );
    assert.equal(await awaited(result.cacheRoleArn), "arn:aws:iam::123456789012:role/ci-cache");
  });

  it("makes no role for a cache that there is not", async () => {
    const { resources, result } = await build();
    assert.equal(
      cloudResources(resources).some((resource) => resource.includes("cache")),
      false,
    );
    assert.equal(await awaited(result.cacheRoleArn), "");
  });

  it("forbids previews to read user data, where the machine's key is", async () => {
    const { resources } = await build();
    const denied = statementsOf(resources, "ci-preview").filter(({ Effect }) => Effect === "Deny");
    assert.deepEqual(
      denied.map(({ Action, Resource }) => [Action, Resource]),
      [[["ec2:DescribeInstanceAttribute"], ["*"]]],
    );
  });

  for (const role of ["preview", "drift"]) {
    it(`lets the role ${role} change nothing`, async () => {
      const { resources } = await build({ ...STATE });
      const allowed = statementsOf(resources, `ci-${role}`).filter(({ Effect }) => Effect === "Allow");
      const actions = allowed.flatMap(({ Action }) => Action);
      assert.deepEqual(
        actions.filter((action) => !/:(Describe|Get|List|Decrypt)/.test(action)),
        [],
      );
    });
  }

  for (const [previews, may] of [
    ["state", true],
    ["cloud", false],
  ] as const) {
    it(`lets previews of the kind ${previews} ${may ? "" : "not "}read the state and open its secrets`, async () => {
      const statements = statementsOf((await build({ ...STATE, previews })).resources, "ci-preview");
      const calls: Call[] = [
        ["s3:GetObject", "arn:aws:s3:::state/.pulumi/stacks/server/live.json"],
        ["s3:ListBucket", "arn:aws:s3:::state"],
        ["kms:Decrypt", STATE.stateKeyArn],
      ];
      for (const call of calls) assert.equal(await allows(statements, call), may, call[0]);
    });
  }

  it("makes no role for previews where there shall be none", async () => {
    const { resources, result } = await build({ ...STATE, previews: "none" });
    assert.deepEqual(
      cloudResources(resources).filter((resource) => resource.includes("preview")),
      [],
    );
    assert.equal(await awaited(result.previewRoleArn), "");
  });

  const MACHINE = {
    machineName: "web",
    machineRoleArn: "arn:aws:iam::123456789012:role/web-reader",
    instanceTypes: ["t3.small"],
  };
  const EC2 = "arn:aws:ec2:us-east-1:123456789012";
  const OURS = { "aws:ResourceTag/Name": "web" };
  const ANOTHER = { "aws:ResourceTag/Name": "database" };
  const START = { "aws:RequestTag/Name": "web", "ec2:InstanceType": "t3.small" };
  const instance = `${EC2}:instance/i-0123456789abcdef0`;
  const volume = `${EC2}:volume/vol-0123456789abcdef0`;
  const image = "arn:aws:ec2:us-east-1::image/ami-0123456789abcdef0";
  const snapshot = "arn:aws:ec2:us-east-1::snapshot/snap-0123456789abcdef0";

  describe("the role of deployments", () => {
    // What AWS's provider calls for the resources of the stack, from its source and from CloudTrail's names.
    const may: Record<string, Call> = {
      "start the machine": ["ec2:RunInstances", instance, START],
      "start it from an official image": ["ec2:RunInstances", image, { "ec2:Owner": "427812963091" }],
      "start it with a new disk": ["ec2:RunInstances", volume, { "aws:RequestTag/Name": "web" }],
      "start it in a subnet": ["ec2:RunInstances", `${EC2}:subnet/subnet-0123456789abcdef0`],
      "start it with its firewall": ["ec2:RunInstances", `${EC2}:security-group/sg-0123456789abcdef0`],
      "start it with its key": ["ec2:RunInstances", `${EC2}:key-pair/web`],
      "start it with a network card": ["ec2:RunInstances", `${EC2}:network-interface/eni-0123456789abcdef0`],
      "name it as it starts": ["ec2:CreateTags", instance, { ...tagged("RunInstances"), "aws:RequestTag/Name": "web" }],
      "name its disk as it starts": [
        "ec2:CreateTags",
        volume,
        { ...tagged("RunInstances"), "aws:RequestTag/Name": "web" },
      ],
      "change its type or user data": ["ec2:ModifyInstanceAttribute", instance, OURS],
      "stop it": ["ec2:StopInstances", instance, OURS],
      "start it again": ["ec2:StartInstances", instance, OURS],
      "end it": ["ec2:TerminateInstances", instance, OURS],
      "let its disk grow": ["ec2:ModifyVolume", volume, OURS],
      "change its tags": ["ec2:CreateTags", instance, { ...OURS, "aws:RequestTag/Name": "web" }],
      "tag a new address": [
        "ec2:CreateTags",
        `${EC2}:elastic-ip/eipalloc-0123456789abcdef0`,
        tagged("AllocateAddress"),
      ],
      "tag a new firewall": [
        "ec2:CreateTags",
        `${EC2}:security-group/sg-0123456789abcdef0`,
        tagged("CreateSecurityGroup"),
      ],
      "tag a rule of it": ["ec2:CreateTags", `${EC2}:security-group-rule/sgr-0123456789abcdef0`],
      "open a port": ["ec2:AuthorizeSecurityGroupIngress", `${EC2}:security-group/sg-0123456789abcdef0`],
      "give it its role": ["iam:PassRole", MACHINE.machineRoleArn, { "iam:PassedToService": "ec2.amazonaws.com" }],
      "see which policies a role has": ["iam:ListRolePolicies", "arn:aws:iam::123456789012:role/web-reader"],
      "write the state": ["s3:PutObject", "arn:aws:s3:::state/.pulumi/stacks/server/live.json"],
    };
    const mustNot: Record<string, Call> = {
      "name somebody's machine ours": ["ec2:CreateTags", instance, { "aws:RequestTag/Name": "web" }],
      "name somebody's disk ours": ["ec2:CreateTags", volume, { "aws:RequestTag/Name": "web" }],
      "name another's machine ours": [
        "ec2:CreateTags",
        instance,
        { "aws:RequestTag/Name": "web", "aws:ResourceTag/Name": "database" },
      ],
      "name another's disk ours": [
        "ec2:CreateTags",
        volume,
        { "aws:RequestTag/Name": "web", "aws:ResourceTag/Name": "database" },
      ],
      "take somebody's name away": ["ec2:DeleteTags", instance, { "aws:ResourceTag/Name": "database" }],
      "start a machine of another name": ["ec2:RunInstances", instance, { ...START, "aws:RequestTag/Name": "miner" }],
      "start one without a name": ["ec2:RunInstances", instance, { "ec2:InstanceType": "t3.small" }],
      "start one of another type": ["ec2:RunInstances", instance, { ...START, "ec2:InstanceType": "p5.48xlarge" }],
      "start one from a stranger's image": ["ec2:RunInstances", image, { "ec2:Owner": "999999999999" }],
      "start one from an image of the account": ["ec2:RunInstances", image, { "ec2:Owner": "123456789012" }],
      "make a disk of a snapshot": ["ec2:RunInstances", snapshot],
      "make a disk of a snapshot by itself": ["ec2:CreateVolume", volume],
      "copy a disk": ["ec2:CreateSnapshot", volume, OURS],
      "attach a disk": ["ec2:AttachVolume", volume, OURS],
      "start one of a launch template": ["ec2:RunInstances", `${EC2}:launch-template/lt-0123456789abcdef0`],
      "change another machine": ["ec2:ModifyInstanceAttribute", instance, { "aws:ResourceTag/Name": "database" }],
      "stop a machine without a name": ["ec2:StopInstances", instance],
      "end another machine": ["ec2:TerminateInstances", instance, { "aws:ResourceTag/Name": "database" }],
      "change another disk": ["ec2:ModifyVolume", volume, { "aws:ResourceTag/Name": "database" }],
      "give a machine another role": [
        "iam:PassRole",
        "arn:aws:iam::123456789012:role/admin",
        { "iam:PassedToService": "ec2.amazonaws.com" },
      ],
      "give its role to another service": [
        "iam:PassRole",
        MACHINE.machineRoleArn,
        { "iam:PassedToService": "lambda.amazonaws.com" },
      ],
      "write a policy": ["iam:PutRolePolicy", "arn:aws:iam::123456789012:role/ci-deploy"],
      "attach a policy": ["iam:AttachRolePolicy", "arn:aws:iam::123456789012:role/ci-deploy"],
      "write another bucket": ["s3:PutObject", "arn:aws:s3:::other/key"],
      "start another machine": ["ec2:StartInstances", instance, ANOTHER],
      "read less safely from another's metadata": ["ec2:ModifyInstanceMetadataOptions", instance, ANOTHER],
      "give another machine a profile": ["ec2:AssociateIamInstanceProfile", instance, ANOTHER],
      "take another's profile": ["ec2:DisassociateIamInstanceProfile", instance, ANOTHER],
      "exchange another's profile": ["ec2:ReplaceIamInstanceProfileAssociation", instance, ANOTHER],
      "name a new machine otherwise": [
        "ec2:CreateTags",
        instance,
        { ...tagged("RunInstances"), "aws:RequestTag/Name": "database" },
      ],
      "name a new disk that no machine starts with": [
        "ec2:CreateTags",
        volume,
        { ...tagged("CreateVolume"), "aws:RequestTag/Name": "web" },
      ],
      "name a snapshot ours": ["ec2:CreateTags", snapshot, { "aws:RequestTag/Name": "web" }],
      "name an image ours": ["ec2:CreateTags", image, { "aws:RequestTag/Name": "web" }],
      "name somebody's address ours": [
        "ec2:CreateTags",
        `${EC2}:elastic-ip/eipalloc-0123456789abcdef0`,
        { "aws:RequestTag/Name": "web" },
      ],
      "name somebody's firewall ours": [
        "ec2:CreateTags",
        `${EC2}:security-group/sg-0123456789abcdef0`,
        { "aws:RequestTag/Name": "web" },
      ],
      "start several at once": ["ec2:CreateFleet", `${EC2}:fleet/fleet-0123456789abcdef0`],
      "start one by a request for a spare one": ["ec2:RequestSpotInstances", "*"],
      "start one in a placement group": ["ec2:RunInstances", `${EC2}:placement-group/group`],
      "make an image": ["ec2:CreateImage", instance, OURS],
      "give a snapshot away": ["ec2:ModifySnapshotAttribute", snapshot],
      "copy a snapshot": ["ec2:CopySnapshot", snapshot],
      "read a disk through its snapshot": ["ebs:GetSnapshotBlock", snapshot],
      "read what a machine printed": ["ec2:GetConsoleOutput", instance, OURS],
      "push a key to a machine": ["ec2-instance-connect:SendSSHPublicKey", instance, OURS],
      "begin a session on a machine": ["ssm:StartSession", instance, OURS],
      "take another role": ["sts:AssumeRole", "arn:aws:iam::123456789012:role/admin"],
      "let others take its role": ["iam:UpdateAssumeRolePolicy", "arn:aws:iam::123456789012:role/ci-deploy"],
      "make a role": ["iam:CreateRole", "arn:aws:iam::123456789012:role/new"],
      "make a key of a person": ["iam:CreateAccessKey", "arn:aws:iam::123456789012:user/alice"],
      "give its role to nobody in particular": ["iam:PassRole", MACHINE.machineRoleArn],
      "open another's secrets": [
        "kms:Decrypt",
        "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000",
      ],
      "give the key away": ["kms:CreateGrant", STATE.stateKeyArn],
      "end the key": ["kms:ScheduleKeyDeletion", STATE.stateKeyArn],
      "open the state's bucket": ["s3:PutBucketPolicy", "arn:aws:s3:::state"],
      "lose old states": ["s3:DeleteObjectVersion", "arn:aws:s3:::state/.pulumi/stacks/server/live.json"],
      "keep no old states": ["s3:PutBucketVersioning", "arn:aws:s3:::state"],
    };
    let statements: Statement[];
    before(async () => {
      statements = statementsOf((await build({ ...STATE, ...MACHINE })).resources, "ci-deploy");
    });
    for (const [what, call] of Object.entries(may)) {
      it(`may ${what}`, async () => assert.equal(await allows(statements, call), true));
    }
    for (const [what, call] of Object.entries(mustNot)) {
      it(`may not ${what}`, async () => assert.equal(await allows(statements, call), false));
    }

    it("may start a machine from the one image that is chosen, whosever it is", async () => {
      const own = { ...STATE, ...MACHINE, amiId: "ami-0123456789abcdef0" };
      const chosen = statementsOf((await build(own)).resources, "ci-deploy");
      const other = "arn:aws:ec2:us-east-1::image/ami-00000000000000001";
      assert.equal(await allows(chosen, ["ec2:RunInstances", image, { "ec2:Owner": "123456789012" }]), true);
      assert.equal(await allows(chosen, ["ec2:RunInstances", other, { "ec2:Owner": "427812963091" }]), false);
    });

    it("may give a machine no role where there is none to give", async () => {
      const none = statementsOf((await build()).resources, "ci-deploy");
      const call: Call = ["iam:PassRole", MACHINE.machineRoleArn, { "iam:PassedToService": "ec2.amazonaws.com" }];
      assert.equal(await allows(none, call), false);
    });
  });

  describe("the other roles", () => {
    const file = "arn:aws:s3:::state/.pulumi/stacks/server/live.json";
    // What no preview, no look for drift and no job that fills the cache may do.
    const never: Record<string, Call> = {
      "write the state": ["s3:PutObject", file],
      "delete the state": ["s3:DeleteObject", file],
      "delete from the cache": ["s3:DeleteObject", `${CACHE}/nar/x.nar`],
      "close secrets": ["kms:Encrypt", STATE.stateKeyArn],
      "open another's secrets": [
        "kms:Decrypt",
        "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000",
      ],
      "read another bucket": ["s3:GetObject", "arn:aws:s3:::other/key"],
      "open the cache's bucket": ["s3:PutBucketPolicy", CACHE],
      "start a machine": ["ec2:RunInstances", instance, START],
      "stop the machine": ["ec2:StopInstances", instance, OURS],
      "change its user data": ["ec2:ModifyInstanceAttribute", instance, OURS],
      "open a port": ["ec2:AuthorizeSecurityGroupIngress", `${EC2}:security-group/sg-0123456789abcdef0`],
      "tag it": ["ec2:CreateTags", instance, { ...OURS, "aws:RequestTag/Name": "web" }],
      "read what a machine printed": ["ec2:GetConsoleOutput", instance, OURS],
      "read a disk through its snapshot": ["ebs:GetSnapshotBlock", snapshot],
      "pass a role": ["iam:PassRole", MACHINE.machineRoleArn, { "iam:PassedToService": "ec2.amazonaws.com" }],
      "write a policy": ["iam:PutRolePolicy", "arn:aws:iam::123456789012:role/ci-deploy"],
      "take another role": ["sts:AssumeRole", "arn:aws:iam::123456789012:role/admin"],
    };
    for (const role of ["ci-preview", "ci-drift", "ci-cache"]) {
      it(`${role} changes nothing and reads nothing of others`, async () => {
        const statements = statementsOf((await build({ ...STATE, ...MACHINE, cacheBucketArn: CACHE })).resources, role);
        for (const [what, call] of Object.entries(never)) {
          assert.equal(await allows(statements, call), false, what);
        }
      });
    }
    it("ci-cache writes the cache, and reads no state", async () => {
      const statements = statementsOf((await build({ ...STATE, cacheBucketArn: CACHE })).resources, "ci-cache");
      assert.equal(await allows(statements, ["s3:PutObject", `${CACHE}/nar/x.nar`]), true);
      for (const call of [
        ["s3:GetObject", file],
        ["kms:Decrypt", STATE.stateKeyArn],
        ["ec2:DescribeInstanceAttribute", instance],
      ] as Call[]) {
        assert.equal(await allows(statements, call), false, call[0]);
      }
    });
  });

  describe("the roles of previews and drift", () => {
    for (const [role, may] of [
      ["ci-preview", false],
      ["ci-drift", true],
    ] as const) {
      it(`${role} ${may ? "reads" : "never reads"} user data, where the machine's key is`, async () => {
        const statements = statementsOf((await build(STATE)).resources, role);
        assert.equal(await allows(statements, ["ec2:DescribeInstanceAttribute", instance]), may);
      });
      it(`${role} sees rules and policies that somebody added by hand`, async () => {
        const statements = statementsOf((await build(STATE)).resources, role);
        assert.equal(await allows(statements, ["ec2:DescribeSecurityGroupRules", "*"]), true);
        for (const action of ["iam:ListRolePolicies", "iam:ListAttachedRolePolicies"]) {
          assert.equal(await allows(statements, [action, "arn:aws:iam::123456789012:role/ci-deploy"]), true);
        }
      });
    }
  });

  it("lets only the branch look for drift, which reads user data, whatever the environment of deployments", async () => {
    const { resources } = await build({ environment: "production", branch: "stable" });
    assert.equal(trusts(trustOf(resources, "ci-drift"), onBranch(CLASSIC, "stable")), true);
    const actions = statementsOf(resources, "ci-drift").flatMap(({ Action }) => Action);
    assert.ok(actions.includes("ec2:DescribeInstanceAttribute"));
  });

  it("lets deployments write the state, previews only read it", async () => {
    const { resources } = await build({ ...STATE });
    const actions = (role: string) => statementsOf(resources, role).flatMap(({ Action }) => Action);
    assert.equal(actions("ci-deploy").includes("s3:PutObject"), true);
    assert.equal(actions("ci-preview").includes("s3:PutObject"), false);
  });

  it("uses no wildcard in an action", async () => {
    const { resources } = await build({ ...STATE, cacheBucketArn: CACHE });
    const roles = ["ci-preview", "ci-deploy", "ci-drift", "ci-cache"];
    const actions = roles.flatMap((role) => statementsOf(resources, role).flatMap(({ Action }) => Action));
    assert.deepEqual(
      actions.filter((action) => action.includes("*")),
      [],
    );
  });

  it("refuses every bad argument at once, before any cloud call", async () => {
    const bad = {
      owner: "octo*",
      repositoryName: "*",
      branch: "*",
      environment: "prod:*",
      oidcProviderArn: "arn:aws:iam::123456789012:*",
      cacheBucketArn: "builds",
      previews: "all",
      instanceTypes: ["t4g.small"],
      amiId: "*",
      machineName: "${aws:username}",
      machineRoleArn: "*",
      ownerId: 12,
      stateKeyArn: "arn:aws:kms:us-east-1:123456789012:key/1",
    };
    const { error, resources } = await refusal(answers(), () => new GithubActionsAccess("ci", bad));
    assert.match(error.message, /^GithubActionsAccess "ci" has 13 problems:/);
    assert.deepEqual(cloudResources(resources), []);
  });
});

describe("a role with a policy that somebody added by hand", () => {
  const withPolicies = (inline: string[], attached: string[]) => {
    const { invokes, ...others } = answers();
    const attachedPolicies = attached.map((policyArn) => ({ policyArn, policyName: policyArn.split("/").at(-1)! }));
    return {
      ...others,
      invokes: {
        ...invokes,
        "aws:iam/getRolePolicies:getRolePolicies": () => ({ policyNames: inline }),
        "aws:iam/getRolePolicyAttachments:getRolePolicyAttachments": () => ({ attachedPolicies }),
      },
    };
  };
  const warningsOf = async (found: Answers) =>
    (await run(found, () => new GithubActionsAccess("ci", { owner: "octo", repositoryName: "server" }))).warnings;

  // Fault 106
  it("is named, with the policy, be it attached or written into the role", async () => {
    const administrator = "arn:aws:iam::aws:policy/AdministratorAccess";
    const warnings = await warningsOf(withPolicies(["by-hand"], [administrator]));
    assert.equal(warnings.length, 3);
    const text = warnings.find((warning) => warning.includes("ci-deploy"))!;
    assert.match(text, /The role ci-deploy has policies that are not of this stack/);
    assert.ok(text.includes(administrator) && text.includes("by-hand"), text);
  });

  it("is not, with the program's own policy alone", async () => {
    const { resources, ...found } = withPolicies(["own"], []);
    const named = { ...resources, "aws:iam/rolePolicy:RolePolicy": () => ({ name: "own" }) };
    assert.deepEqual(await warningsOf({ ...found, resources: named }), []);
  });

  it("stops nothing where it may not be looked at, and that is said", async () => {
    const { invokes, ...found } = answers();
    const refuse = () => {
      throw new Error("AccessDenied: not authorized to perform: iam:ListRolePolicies");
    };
    const refused = { ...found, invokes: { ...invokes, "aws:iam/getRolePolicies:getRolePolicies": refuse } };
    const warnings = await warningsOf(refused);
    assert.equal(warnings.length, 3);
    assert.match(warnings[0]!, /could not be seen whether somebody added policies to a role by hand: .*AccessDenied/);
  });
});
