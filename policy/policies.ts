import { administratorsBound, checksRequired, noBranchDeletion, noForcePush, repositoryProtected } from "./branches";
import { bucketsPrivate, bucketsTlsOnly } from "./buckets";
import { commandOutputSecret, hostKeyPinned, noSecretInPlainText } from "./commands";
import { metadataHopLimit, metadataNeedToken, userDataFromComponent, volumesEncrypted } from "./machines";
import { addressInUse, sshNotOpenToTheWorld } from "./network";
import { oneVersionOfEachProvider, providerVersions } from "./providers";
import { deployKeysReadOnly, repositoryPrivate } from "./repositories";
import { noFullAdministrator, trustExact } from "./roles";

/** All the rules, in the order of docs/policy.md. */
export const policies = [
  metadataNeedToken,
  metadataHopLimit,
  volumesEncrypted,
  userDataFromComponent,
  sshNotOpenToTheWorld,
  addressInUse,
  repositoryPrivate,
  repositoryProtected,
  checksRequired,
  noForcePush,
  noBranchDeletion,
  administratorsBound,
  deployKeysReadOnly,
  noSecretInPlainText,
  commandOutputSecret,
  hostKeyPinned,
  bucketsPrivate,
  bucketsTlsOnly,
  trustExact,
  noFullAdministrator,
  providerVersions,
  oneVersionOfEachProvider,
];
