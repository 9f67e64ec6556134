import { administratorsBound, checksRequired, repositoryProtected } from "./branches";
import { hostKeyPinned, noSecretInPlainText } from "./commands";
import { metadataNeedToken, userDataFromComponent, volumesEncrypted } from "./machines";
import { sshNotOpenToTheWorld } from "./network";
import { providerVersions } from "./providers";
import { deployKeysReadOnly, repositoryPrivate } from "./repositories";
import { noFullAdministrator, trustExact } from "./roles";

/** All the rules, in the order of docs/policy.md. */
export const policies = [
  metadataNeedToken,
  volumesEncrypted,
  userDataFromComponent,
  sshNotOpenToTheWorld,
  repositoryPrivate,
  repositoryProtected,
  checksRequired,
  administratorsBound,
  deployKeysReadOnly,
  noSecretInPlainText,
  hostKeyPinned,
  trustExact,
  noFullAdministrator,
  providerVersions,
];
