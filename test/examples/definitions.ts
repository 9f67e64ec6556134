import type { Fakes } from "../../cli/rehearse/fakes";

/** One program of an example. */
export interface Program {
  /** Its folder under examples/. */
  folder: string;
  stack: string;
  /** Its own keys, without their namespace. */
  config?: (fakes: Fakes) => Record<string, string>;
  /** All that it registers, as `Type name`. */
  resources: string[];
  /** The flake references that it deploys. */
  deploys?: string[];
}

export interface Example {
  /** Its folder under examples/. */
  name: string;
  /** In the order in which they are run; a later one may refer to the stack of an earlier one. */
  programs: Program[];
  /** What is there before anything is run. */
  prepare?: (fakes: Fakes) => void;
  /** Names of resources that cannot be destroyed by accident. */
  protected?: string[];
}

/** The owner of every repository, and the repository of the project's own flake. */
export const OWNER = "example";
export const PROJECT_REPOSITORY = "pulumi-nixos";

const KEYS = [
  "SshKeyPair nixos-key",
  "PrivateKey nixos-key",
  "KeyPair nixos-key-key-pair",
  "PrivateKey nixos-host-key",
];
const OUT = ["SecurityGroupEgressRule nixos-out-ipv4", "SecurityGroupEgressRule nixos-out-ipv6"];
const SSH = ["SecurityGroupIngressRule nixos-ssh-0.0.0.0_0", "SecurityGroupIngressRule nixos-ssh---_0"];
const HTTP = ["SecurityGroupIngressRule nixos-http-0.0.0.0_0", "SecurityGroupIngressRule nixos-http---_0"];
const MACHINE = ["NixosInstance nixos", "Instance nixos", "SecurityGroup nixos-security-group", ...OUT];
const ADDRESS = "Eip nixos-address";
const DEPLOYMENT = ["NixosDeployment nixos-deployment", "Command nixos-deployment"];
const ADOPTED = [
  "ProtectedRepository nixos-repository",
  "BranchProtection nixos-repository-protection",
  "RepositoryDeployKey nixos-repository-deploy-key",
];
const REPOSITORY = ["Repository nixos-repository", ...ADOPTED];

/** The parts of ContinuousDeployment, and what it is made of by default. */
const PARTS = [...KEYS, ...MACHINE, ...SSH, ...HTTP, ADDRESS, ...DEPLOYMENT, ...REPOSITORY];
const SERVER = ["ContinuousDeployment nixos", ...PARTS];

const named = (rows: string[], name: string) => rows.map((row) => row.replace(/ nixos\b/, ` ${name}`));
const without = (rows: string[], ...left: string[]) => rows.filter((row) => !left.includes(row));

export const oneServer: Example = {
  name: "one-server",
  programs: [{ folder: "one-server", stack: "dev", resources: SERVER, deploys: ["path:../../nix#default"] }],
};

export const existingNetwork: Example = {
  name: "existing-network",
  prepare: ({ github }) => void github.addRepository(PROJECT_REPOSITORY, { visibility: "private" }),
  programs: [
    {
      folder: "existing-network",
      stack: "dev",
      config: ({ ec2 }) => ({ subnetId: ec2.subnets.find(({ defaultForAz }) => !defaultForAz)!.id }),
      resources: without(SERVER, "Repository nixos-repository"),
      deploys: ["path:../../nix#default"],
    },
  ],
};

const FOLLOWER = without(SERVER, "Repository nixos-repository", "BranchProtection nixos-repository-protection");

export const fleet: Example = {
  name: "fleet",
  programs: [
    {
      folder: "fleet",
      stack: "live",
      resources: [
        "ProtectedRepository fleet",
        "Repository fleet",
        "BranchProtection fleet-protection",
        ...named(FOLLOWER, "web"),
        ...named(without(FOLLOWER, ...HTTP), "worker"),
      ],
      deploys: ["./nix#web", "./nix#worker"],
    },
  ],
};

const environment = (name: string): Program => ({
  folder: "environments/server",
  stack: name,
  config: () => ({ sharedStack: "organization/environments-shared/shared" }),
  resources: named(without(SERVER, "Repository nixos-repository"), name),
  deploys: [`../nix#${name}`],
});

export const environments: Example = {
  name: "environments",
  programs: [
    {
      folder: "environments/shared",
      stack: "shared",
      resources: ["ProtectedRepository repository", "Repository repository"],
    },
    environment("dev"),
    environment("prod"),
  ],
};

export const accessToken: Example = {
  name: "access-token",
  programs: [
    {
      folder: "access-token",
      stack: "dev",
      resources: [
        ...without(SERVER, "RepositoryDeployKey nixos-repository-deploy-key"),
        "PrivateKey nixos-machine-key",
      ],
      deploys: ["./nix#default"],
    },
  ],
};

export const ipv6Only: Example = {
  name: "ipv6-only",
  programs: [
    {
      folder: "ipv6-only",
      stack: "dev",
      resources: [
        ...without(SERVER, ADDRESS, SSH[0]!, HTTP[0]!),
        "Vpc vpc",
        "InternetGateway gateway",
        "Subnet nat",
        "RouteTable nat",
        "RouteTableAssociation nat",
        "Eip nat",
        "NatGateway nat",
        "Subnet machine",
        "RouteTable machine",
        "RouteTableAssociation machine",
      ],
      deploys: ["path:../../nix#default"],
    },
  ],
};

export const namedServer: Example = {
  name: "named-server",
  programs: [
    {
      folder: "named-server",
      stack: "live",
      config: () => ({ zone: "example.com" }),
      resources: [
        ...PARTS,
        "SecurityGroupIngressRule nixos-http-443-0.0.0.0_0",
        "SecurityGroupIngressRule nixos-http-443---_0",
        "Record name",
      ],
      deploys: ["./nix#default"],
    },
  ],
};

export const sharedCache: Example = {
  name: "shared-cache",
  programs: [
    {
      folder: "shared-cache/cache",
      stack: "shared",
      resources: [
        "BinaryCache builds",
        "Bucket builds",
        "BucketLifecycleConfiguration builds-lifecycle",
        "BucketPolicy builds-policy",
        "BucketPublicAccessBlock builds-public-access",
        "BucketServerSideEncryptionConfiguration builds-encryption",
        "InstanceProfile builds-reader-profile",
        "PrivateKey builds-signing-key",
        "Role builds-reader",
        "RolePolicy builds-reader-policy",
      ],
    },
    {
      folder: "shared-cache/server",
      stack: "dev",
      config: () => ({ cacheStack: "organization/shared-cache/shared" }),
      resources: SERVER,
      deploys: ["path:../../../nix#default"],
    },
  ],
};

const ROLES = ["preview", "deploy", "drift"];

export const stateBackend: Example = {
  name: "state-backend",
  protected: ["pulumi-state", "secrets"],
  programs: [
    {
      folder: "state-backend",
      stack: "state",
      config: () => ({ owner: OWNER, repository: PROJECT_REPOSITORY }),
      resources: [
        "Bucket pulumi-state",
        "BucketVersioning versions",
        "BucketServerSideEncryptionConfiguration encryption",
        "BucketPublicAccessBlock public-access",
        "BucketPolicy tls-only",
        "Key secrets",
        "Alias secrets-alias",
        "GithubActionsAccess github-actions",
        "OpenIdConnectProvider github-actions",
        ...ROLES.flatMap((role) => [`Role github-actions-${role}`, `RolePolicy github-actions-${role}-policy`]),
      ],
    },
  ],
};

export const EXAMPLES = [
  oneServer,
  existingNetwork,
  fleet,
  environments,
  accessToken,
  ipv6Only,
  namedServer,
  sharedCache,
  stateBackend,
];
