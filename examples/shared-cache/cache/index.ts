import * as pulumi from "@pulumi/pulumi";
import { BinaryCache } from "nixos";

const cache = new BinaryCache("builds", { expirationDays: new pulumi.Config().requireNumber("expirationDays") });

/** For "substituters" of nix/cache.json, and where to copy builds to. */
export const substituter = cache.substituter;
/** For "trustedPublicKeys" of nix/cache.json. */
export const publicKey = cache.publicKey;
/** Instance profile of the machines that read the cache. */
export const readerProfileName = cache.readerProfileName;
/** For `cacheBucketArn` of GithubActionsAccess, whose role lets CI fill the cache. */
export const bucketArn = cache.bucketArn;
/** Signs what is copied to the cache. Secret. */
export const secretKey = cache.secretKey;
