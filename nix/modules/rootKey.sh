#!/usr/bin/env bash
# Where the machine's key is root's authorized key, keeps it so when the machine's key changes: the
# new one comes in and the old one goes in one replacement of the file, so there is no moment without
# a key. Keys from elsewhere stay. A machine that root enters with another key is left alone: there
# the machine's key is only for secrets and the repository, and must not open the machine itself.
set -euo pipefail

machine_key=${MACHINE_KEY:-/var/lib/id_ed25519}
authorized_keys=${AUTHORIZED_KEYS:-/root/.ssh/authorized_keys}
given=${STATE_DIRECTORY:-/var/lib/root-key}/public-key

# Before user data has run for the first time there is no key yet; the path unit calls again.
[[ -s $machine_key ]] || exit 0

# Type and key only: a comment is no part of the key, and a line may hold options before both.
public=$(ssh-keygen -y -f "$machine_key" | cut -d ' ' -f 1-2)
before=$(cat "$given" 2>/dev/null || true)

if [[ -z $before ]] && grep -qE '^[^#]' "$authorized_keys" 2>/dev/null &&
  ! grep -qF -e "${public#* }" "$authorized_keys"; then
  exit 0
fi

# Nothing to change: the file may be one that cannot be changed, such as a link into the store of a configuration that
# manages root's keys itself.
if grep -qF -e "${public#* }" "$authorized_keys" 2>/dev/null &&
  { [[ -z $before || $before == "$public" ]] || ! grep -qF -e "${before#* }" "$authorized_keys"; }; then
  printf '%s\n' "$public" >"$given"
  exit 0
fi
folder=$(dirname "$authorized_keys")
if [[ -e $authorized_keys && ! -w $authorized_keys || -d $folder && ! -w $folder ]]; then
  # Whoever made it read-only decides who may log in. A failed unit would undo upgrades for it.
  echo "$authorized_keys is read-only and left as it is; to let the machine's own key in, add: $public" >&2
  exit 0
fi

install -d -m 700 "$folder"
temporary=$(mktemp "$authorized_keys.XXXXXX")
trap 'rm -f "$temporary"' EXIT

[[ ! -e $authorized_keys ]] || cp "$authorized_keys" "$temporary"
if [[ -n $before && $before != "$public" ]]; then
  # grep's exit code 1 only says that no other line is left.
  [[ ! -e $authorized_keys ]] || grep -vF -e "${before#* }" "$authorized_keys" >"$temporary" || [[ $? == 1 ]]
fi
grep -qF -e "${public#* }" "$temporary" || printf '%s\n' "$public" >>"$temporary"

chmod 600 "$temporary"
mv "$temporary" "$authorized_keys"
printf '%s\n' "$public" >"$given"
