import { publicKeyOf } from "./openssh";

/** Where the machine's own key is; sops-nix opens the secrets with it, and git reads the repository with it. */
export const MACHINE_KEY_PATH = "/var/lib/id_ed25519";

/** EC2's limit, counted before the encoding in Base64. */
export const USER_DATA_LIMIT = 16 * 1024;

/** What a machine is given at its first boot. Both are ed25519 private keys in OpenSSH format. */
export interface UserDataKeys {
  machineKey: string;
  hostKey: string;
}

/**
 * The user data of a machine: a script that NixOS runs as root at every boot, and the host key that it reads from it.
 *
 * - `#!` must be the first two bytes. NixOS takes anything else for a Nix expression, and would copy it, key included,
 *   to the world-readable store.
 * - NixOS picks the host key out with sed: the two SSH_HOST_ED25519_KEY lines must start at column 0, and no line
 *   before them may hold the sign that stands for a newline in them (a vertical bar), or a broken host key is written.
 *   That also forbids pipelines and or-lists in the script.
 * - Another text, be it one word, stops and starts every running machine: hence a name that the key no longer has.
 * - The file is written beside its place, flushed and renamed: a reader sees the old key or the new one, whole.
 */
export function renderUserData(keys: UserDataKeys): string {
  const machineKey = keys.machineKey.trimEnd();
  const hostKey = keys.hostKey.trimEnd().replaceAll("\n", "|");
  const script = `#!/usr/bin/env bash
# Runs at every boot; writes the same file again, so that a changed key arrives by a stop and a start.
set -eu
umask 077
new=${MACHINE_KEY_PATH}.new
rm -f "$new"
cat > "$new" <<'IDENTITY'
${machineKey}
IDENTITY
chmod 0400 "$new"
sync "$new"
mv -f "$new" ${MACHINE_KEY_PATH}
# Not run: NixOS reads the host key from the next lines before sshd starts, where the machine has none yet.
: <<'HOST_KEY'
SSH_HOST_ED25519_KEY:${hostKey}
SSH_HOST_ED25519_KEY_PUB:${publicKeyOf(keys.hostKey)}
HOST_KEY
`;
  refuseBrokenUserData(script);
  return script;
}

/** Guards the rules above against a later change of the text; a failure here is a bug, not a user's mistake. */
function refuseBrokenUserData(script: string): void {
  const beforeHostKey = script.slice(0, script.indexOf("\nSSH_HOST_ED25519_KEY:"));
  if (!script.startsWith("#!")) throw new Error("User data must start with #!.");
  if (script.includes("\r")) throw new Error("User data must not contain a carriage return.");
  if (beforeHostKey.includes("|")) throw new Error("User data must not contain a vertical bar before the host key.");
  if (Buffer.byteLength(script) > USER_DATA_LIMIT) {
    throw new Error(`User data has ${Buffer.byteLength(script)} bytes; EC2 takes ${USER_DATA_LIMIT} at most.`);
  }
}
