import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { ContinuousDeployment } from "./components/index";
import { readCheckout } from "./program/checkout";
import { nextStep as nextStepAfter } from "./program/nextStep";
import { encryptedKeys, stackConfig } from "./program/stackConfig";
import { readWorkflows } from "./program/workflows";

const repositoryJson = readFileSync("nix/repository.json", "utf8");

const server = new ContinuousDeployment(
  "nixos",
  stackConfig(
    pulumi.runtime.allConfig(),
    pulumi.getProject(),
    repositoryJson,
    readWorkflows("."),
    encryptedKeys(process.env),
  ),
);

/** What to do next, in words; absent when the machine goes on by itself. */
export const nextStep = nextStepAfter(readCheckout(".", repositoryJson));
/** DNS name of the machine. */
export const publicDns = server.publicDns;
/** IPv4 address of the machine. */
export const publicIp = server.publicIp;
/** Address of the machine's web page. */
export const url = server.url;
/** Command that logs in to the machine. */
export const sshCommand = server.sshCommand;
/** Id of the EC2 instance. */
export const instanceId = server.instanceId;
/** Address of the repository's page. */
export const repositoryUrl = server.repositoryUrl;
/** Flake reference that the machine upgrades itself from. */
export const upgradeFlake = server.upgradeFlake;
/** age recipient of the machine, for .sops.yaml. */
export const ageRecipient = server.ageRecipient;
/** age recipients of all versions of the machine's key, for a rotation. */
export const ageRecipients = server.ageRecipients;
/** Versions of the keys, after a confirmed switch, for a rotation. */
export const keyVersions = server.deployedKeyVersions;
/** Public halves of all versions of the login key, for a rotation. */
export const loginPublicKeys = server.loginPublicKeys;
/** Public host key of the machine. */
export const hostPublicKey = server.hostPublicKey;
/** Path of the evaluated derivation of the system. */
export const derivation = server.derivation;
/** Substituter of the binary cache, for nix/cache.json; empty without a cache. */
export const cacheSubstituter = server.cacheSubstituter;
/** Public key of the binary cache, for nix/cache.json; empty without a cache. */
export const cachePublicKey = server.cachePublicKey;
/** Private key that logs in to the machine. Secret. */
export const loginKey = server.loginKey;
/** Private key that opens the machine's secrets; the same as `loginKey` unless they are separate. Secret. */
export const machineKey = server.machineKey;

// The names that some had in the last version; the next one has them no more.
export const keyGenerations = keyVersions;
export const privateKey = loginKey;
export const identityKey = machineKey;
