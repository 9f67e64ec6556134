import { administratorsBound, checksRequired, repositoryProtected } from "./branches";
import { hostKeyPinned, noSecretInPlainText } from "./commands";
import { userDataFromComponent, volumesEncrypted } from "./machines";
import { sshNotOpenToTheWorld } from "./network";
import { providerVersions } from "./providers";
import { repositoryPrivate } from "./repositories";
import { noFullAdministrator, trustExact } from "./roles";

/** All the rules, in the order of docs/policy.md. */
export const policies = [
  volumesEncrypted,
  userDataFromComponent,
  sshNotOpenToTheWorld,
  repositoryPrivate,
  repositoryProtected,
  checksRequired,
  administratorsBound,
  noSecretInPlainText,
  hostKeyPinned,
  trustExact,
  noFullAdministrator,
  providerVersions,
];
