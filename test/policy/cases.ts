import { type Analyzed, urnOf } from "../../cli/check/pack";
import { secret, UNKNOWN } from "../../cli/rehearse/emulators/values";

/** Stacks that a rule must let pass, that it must refuse with which words, and that a preview cannot judge yet. */
export interface Cases {
  pass: Analyzed[][];
  fail: [Analyzed[], RegExp][];
  unknown: Analyzed[][];
}

const INSTANCE = "aws:ec2/instance:Instance";
const instance = (props: object): Analyzed => ({ type: INSTANCE, props: { ...props } });
const deployKey = (props: object): Analyzed => ({
  type: "github:index/repositoryDeployKey:RepositoryDeployKey",
  props: { ...props },
});
const template = (props: object): Analyzed => ({ type: "aws:ec2/launchTemplate:LaunchTemplate", props: { ...props } });
const below = (component: string): Analyzed => ({
  type: INSTANCE,
  urn: urnOf(INSTANCE, "thing", "app:index:App", component),
  props: { userData: "#!/bin/sh" },
});

const ingress = (props: object): Analyzed => ({
  type: "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
  props: { ipProtocol: "tcp", fromPort: 22, toPort: 22, ...props },
});
const group = (...rules: unknown[]): Analyzed => ({
  type: "aws:ec2/securityGroup:SecurityGroup",
  props: { ingress: rules },
});
const oldRule = (props: object): Analyzed => ({
  type: "aws:ec2/securityGroupRule:SecurityGroupRule",
  props: { type: "ingress", protocol: "tcp", fromPort: 0, toPort: 65535, ...props },
});

const REPOSITORY = "github:index/repository:Repository";
const repository = (props: object = {}): Analyzed => ({
  type: REPOSITORY,
  name: "repository",
  props: { name: "server", nodeId: "node-1", ...props },
});
const ofRepository = { repositoryId: [urnOf(REPOSITORY, "repository")] };
const branchRule = (
  props: object = {},
  propertyDependencies: Analyzed["propertyDependencies"] = ofRepository,
): Analyzed => ({
  type: "github:index/branchProtection:BranchProtection",
  name: "protection",
  props: { repositoryId: UNKNOWN, requiredStatusChecks: [{ contexts: ["test"] }], ...props },
  propertyDependencies,
});
const ruleset = (rules: object, props: object = {}, name = "ruleset"): Analyzed => ({
  type: "github:index/repositoryRuleset:RepositoryRuleset",
  name,
  props: { repository: "server", target: "branch", enforcement: "active", rules, ...props },
});
const layered = (weak: object, strong: object) => [repository(), ruleset(weak), ruleset(strong, {}, "other")];

const command = (props: object, additionalSecretOutputs = ["stdout", "stderr"]): Analyzed => ({
  type: "command:local:Command",
  props: { create: "deploy", logging: "none", addPreviousOutputInEnv: false, ...props },
  additionalSecretOutputs,
});
const remote = (connection: unknown): Analyzed => ({
  type: "command:remote:Command",
  props: { create: "true", connection },
});
const variable = (value: string): Analyzed => ({
  type: "github:index/actionsVariable:ActionsVariable",
  props: { value },
});
// Put together here: scanners take the whole form for a leaked secret, as the rule does.
const KEY = ["-----BEGIN OPENSSH PRIVATE", "KEY-----\nAAAA"].join(" ");
const SECRETS = [KEY, `ghp_${"a1".repeat(18)}`, `AGE-SECRET-${"KEY-1"}${"Q".repeat(58)}`, `AKIA${"Q".repeat(16)}`];

const document = (...statements: object[]) => JSON.stringify({ Version: "2012-10-17", Statement: statements });

const role = (assumeRolePolicy: unknown): Analyzed => ({ type: "aws:iam/role:Role", props: { assumeRolePolicy } });
const ISSUER = "token.actions.githubusercontent.com";
const trusting = (condition: object) =>
  document({
    Effect: "Allow",
    Principal: { Federated: `arn:aws:iam::123456789012:oidc-provider/${ISSUER}` },
    Action: "sts:AssumeRoleWithWebIdentity",
    Condition: condition,
  });
const AUDIENCE = { [`${ISSUER}:aud`]: "sts.amazonaws.com" };
const subject = (value: string | string[]) => ({ [`${ISSUER}:sub`]: value });
const IN_ENVIRONMENT = subject("repo:octo/server:environment:production");

const iamPolicy = (kind: string, policy: unknown): Analyzed => ({ type: `aws:iam/${kind}`, props: { policy } });
const ALL = { Effect: "Allow", Action: "*", Resource: "*" };
const attachment = (policyArn: string): Analyzed => ({
  type: "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
  props: { policyArn },
});

const provider = (name: string, version?: string): Analyzed => ({
  type: `pulumi:providers:${name}`,
  name: `default_${version ?? "none"}`,
  props: version === undefined ? {} : { version },
});

export const CASES: Record<string, Cases> = {
  "metadata-need-token": {
    pass: [
      [instance({ metadataOptions: { httpTokens: "required" } })],
      [template({ metadataOptions: { httpEndpoint: "disabled" } })],
    ],
    fail: [
      [[instance({})], /httpTokens is not set/],
      [[instance({ metadataOptions: { httpTokens: "optional" } })], /httpTokens is "optional"/],
      [[template({ metadataOptions: { httpTokens: "optional" } })], /httpTokens is "optional"/],
    ],
    unknown: [[instance({ metadataOptions: UNKNOWN })], [instance({ metadataOptions: { httpTokens: UNKNOWN } })]],
  },
  "volumes-encrypted": {
    pass: [
      [instance({ rootBlockDevice: { encrypted: true }, ebsBlockDevices: [{ encrypted: true }] })],
      [template({ blockDeviceMappings: [{ ebs: { encrypted: "true" } }, { noDevice: "" }] })],
      [{ type: "aws:ebs/volume:Volume", props: { encrypted: true } }],
    ],
    fail: [
      [[instance({})], /^rootBlockDevice.encrypted is not set/m],
      [[instance({ rootBlockDevice: { encrypted: false } })], /^rootBlockDevice.encrypted is false/m],
      [
        [instance({ rootBlockDevice: { encrypted: true }, ebsBlockDevices: [{ encrypted: true }, {}] })],
        /^ebsBlockDevices\[1\].encrypted is not set/m,
      ],
      [[template({ blockDeviceMappings: [{ ebs: {} }] })], /^blockDeviceMappings\[0\].encrypted is not set/m],
      [[{ type: "aws:ebs/volume:Volume" }], /^encrypted is not set/m],
    ],
    unknown: [[instance({ rootBlockDevice: { encrypted: UNKNOWN } })]],
  },
  "user-data-from-component": {
    pass: [[instance({})], [below("nixos:index:NixosInstance")]],
    fail: [
      [[instance({ userData: "#!/bin/sh" })], /userData is written by the program itself/],
      // Whether it is there is known, even where its text is not.
      [[instance({ userDataBase64: UNKNOWN })], /userDataBase64 is written by the program itself/],
      [[below("web:index:Server")], /written by web:index:Server/],
      [[template({ userData: "IyEvYmluL3No" })], /userData is written/],
    ],
    unknown: [],
  },
  "ssh-not-open-to-the-world": {
    pass: [
      [ingress({ cidrIpv4: "203.0.113.0/24" })],
      [ingress({ cidrIpv4: "0.0.0.0/0", fromPort: 80, toPort: 80 })],
      [ingress({ cidrIpv4: "0.0.0.0/0", ipProtocol: "udp" })],
      [oldRule({ type: "egress", cidrBlocks: ["0.0.0.0/0"] })],
      [group({ protocol: "tcp", fromPort: 443, toPort: 443, cidrBlocks: ["0.0.0.0/0"] })],
    ],
    fail: [
      [[ingress({ cidrIpv4: "0.0.0.0/0" })], /port 22 is open to 0\.0\.0\.0\/0\.$/m],
      [[ingress({ cidrIpv6: "::/0", ipProtocol: "-1", fromPort: -1, toPort: -1 })], /open to ::\/0/],
      [[oldRule({ cidrBlocks: ["0.0.0.0/0"], ipv6CidrBlocks: ["::/0"] })], /open to 0\.0\.0\.0\/0 and ::\/0/],
      [[group(UNKNOWN, { protocol: "-1", cidrBlocks: ["192.0.2.0/24", "0.0.0.0/0"] })], /open to 0\.0\.0\.0\/0\.$/m],
    ],
    unknown: [[ingress({ cidrIpv4: UNKNOWN })], [group(UNKNOWN)]],
  },
  "repository-private": {
    pass: [
      [repository({ visibility: "private" })],
      [repository({ visibility: "internal" })],
      [repository({ private: true })],
    ],
    fail: [
      [[repository({ visibility: "public" })], /visibility is "public"/],
      // GitHub's default.
      [[repository()], /visibility is "public"/],
    ],
    unknown: [[repository({ visibility: UNKNOWN })]],
  },
  "repository-protected": {
    pass: [
      [repository(), branchRule()],
      [repository(), branchRule({ repositoryId: "node-1" }, {})],
      [repository(), ruleset({})],
      [repository({ archived: true })],
    ],
    fail: [
      [[repository()], /Nothing protects/],
      [[repository(), branchRule({ repositoryId: "node-2" }, {})], /Nothing protects/],
      [[repository(), ruleset({}, { enforcement: "disabled" })], /Nothing protects/],
      [[repository(), ruleset({}, { target: "tag" })], /Nothing protects/],
    ],
    unknown: [[repository(), branchRule({}, {})]],
  },
  "checks-required": {
    pass: [
      [repository(), branchRule()],
      [
        repository(),
        branchRule({ requiredStatusChecks: [] }),
        ruleset({ requiredStatusChecks: { requiredChecks: [{ context: "test" }] } }),
      ],
      layered({}, { requiredStatusChecks: { requiredChecks: [{ context: "test" }] } }),
      [repository()],
    ],
    fail: [
      [[repository(), branchRule({ requiredStatusChecks: [] })], /No status check/],
      [[repository(), branchRule({ requiredStatusChecks: [{ contexts: [] }] })], /No status check/],
      [layered({}, { requiredStatusChecks: { requiredChecks: [] } }), /No status check/],
      // The rules of one branch do not help another.
      [
        [repository(), branchRule(), { ...branchRule({ requiredStatusChecks: [] }), name: "release" }],
        /No status check/,
      ],
    ],
    unknown: [[repository(), branchRule({ requiredStatusChecks: UNKNOWN })]],
  },
  "administrators-bound": {
    pass: [[branchRule({ enforceAdmins: true })], [ruleset({}, { bypassActors: [] })]],
    fail: [
      [[branchRule()], /go past the protection/],
      [[ruleset({}, { bypassActors: [{ actorId: 5 }] })], /go past the protection/],
    ],
    unknown: [[branchRule({ enforceAdmins: UNKNOWN })]],
  },
  "deploy-keys-read-only": {
    pass: [[deployKey({ readOnly: true })]],
    fail: [
      [[deployKey({ readOnly: false })], /readOnly is false/],
      [[deployKey({})], /readOnly is null/],
    ],
    unknown: [[deployKey({ readOnly: UNKNOWN })]],
  },
  "no-secret-in-plain-text": {
    pass: [
      [command({ environment: { KEY: secret(KEY) }, stdin: KEY, triggers: ["abc"] })],
      [variable("arn:aws:iam::123456789012:role/preview")],
    ],
    fail: [
      ...SECRETS.map((secret): [Analyzed[], RegExp] => [
        [command({ create: `deploy --with '${secret}'` })],
        /^create holds an? /m,
      ]),
      [[command({ delete: secret(`echo '${KEY}'`) })], /^delete holds a private key/m],
      [[command({ interpreter: ["sh", "-c", `: ${SECRETS[1]}`] })], /^interpreter\[2\] holds a token of GitHub/m],
      // What is not known yet hides nothing.
      [
        [command({ create: UNKNOWN, triggers: [UNKNOWN, { nested: [SECRETS[2]] }] })],
        /^triggers\[1\] holds an age key/m,
      ],
      [[variable(SECRETS[3]!)], /^value holds an access key of AWS/m],
    ],
    unknown: [[command({ create: UNKNOWN })], [command({ triggers: [UNKNOWN] })], [command({ triggers: UNKNOWN })]],
  },
  "host-key-pinned": {
    pass: [
      [remote({ host: UNKNOWN, hostKey: UNKNOWN })],
      [remote({ hostKey: "ssh-ed25519 A", proxy: { hostKey: "ssh-ed25519 B" } })],
    ],
    fail: [
      [[remote({ host: "192.0.2.1" })], /connection\.hostKey is not set/],
      [[remote({ hostKey: "ssh-ed25519 A", proxy: { host: "192.0.2.1" } })], /connection\.proxy\.hostKey is not set/],
      [[{ type: "command:remote:CopyToRemote", props: { connection: {} } }], /connection\.hostKey is not set/],
    ],
    unknown: [[remote(UNKNOWN)]],
  },
  "role-trust-exact": {
    pass: [
      [role(trusting({ StringEquals: { ...AUDIENCE, ...subject("repo:octo/server:pull_request") } }))],
      [role(document({ Effect: "Allow", Principal: { Service: "ec2.amazonaws.com" }, Action: "sts:AssumeRole" }))],
      [role(trusting({ StringEquals: { ...AUDIENCE, ...IN_ENVIRONMENT, [`${ISSUER}:ref`]: "refs/heads/main" } }))],
    ],
    fail: [
      [
        [role(trusting({ StringEquals: { ...AUDIENCE, ...IN_ENVIRONMENT } }))],
        /trusts an environment and names no branch \(ref\)/,
      ],
      [[role(trusting({ StringEquals: AUDIENCE }))], /every repository on GitHub can take the role/],
      [[role(trusting({ StringEquals: subject("repo:octo/server:pull_request") }))], /names no audience/],
      [
        [role(trusting({ StringEquals: AUDIENCE, StringLike: subject("repo:octo/*") }))],
        /takes every subject like "repo:octo\/\*"/,
      ],
      [
        [
          role(
            trusting({
              StringEquals: AUDIENCE,
              "ForAnyValue:StringLike": subject(["repo:octo/server:ref:x", "repo:?"]),
            }),
          ),
        ],
        /takes every subject like "repo:\?"/,
      ],
      [[role(document({ Effect: "Allow", Principal: "*", Action: "sts:AssumeRole" }))], /lets everyone take the role/],
      [[role({ Statement: { Effect: "Allow", Principal: { AWS: "*" } } })], /lets everyone take the role/],
    ],
    unknown: [[role(UNKNOWN)]],
  },
  "no-full-administrator": {
    pass: [
      [iamPolicy("rolePolicy:RolePolicy", document({ Effect: "Allow", Action: "ec2:*", Resource: "*" }))],
      [iamPolicy("policy:Policy", document({ ...ALL, Effect: "Deny" }))],
      [attachment("arn:aws:iam::aws:policy/ReadOnlyAccess")],
    ],
    fail: [
      [[iamPolicy("rolePolicy:RolePolicy", document(ALL))], /every action on every resource/],
      [[iamPolicy("policy:Policy", document({ ...ALL, Action: ["*"], Resource: ["*"] }))], /every action/],
      [[iamPolicy("userPolicy:UserPolicy", { Statement: ALL })], /every action/],
      [[attachment("arn:aws:iam::aws:policy/AdministratorAccess")], /AdministratorAccess is attached/],
    ],
    unknown: [[iamPolicy("rolePolicy:RolePolicy", UNKNOWN)]],
  },
  "provider-versions": {
    pass: [[provider("aws", "7.48.0")], [provider("command", "v1.2.1")], [provider("random", "99.0.0")]],
    fail: [
      [[provider("command", "4.5.0")], /command 4\.5\.0 is used, expected is 1\.x/],
      [[provider("aws", "70.0.0")], /aws 70\.0\.0 is used/],
      [[provider("tls")], /No version of tls is pinned/],
    ],
    unknown: [[provider("aws", UNKNOWN)]],
  },
};
