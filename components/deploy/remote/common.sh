# shellcheck shell=bash
# shellcheck disable=SC2034 # the files that are sent with this one use these variables
# What the scripts that run on the machine share. components/deploy/machine.mjs sends this file, one other, and a last
# line that calls a function; so a connection that breaks half way runs nothing.
set -euo pipefail
umask 022

RUN_FOLDER=/run/nixos-deploy
GUARD_FOLDER=$RUN_FOLDER/guard
LEASE_FILE=$RUN_FOLDER/lease
# What the automatic upgrade looks at: until this unix time it does not start.
HOLD_FILE=$RUN_FOLDER/hold
BUILD_ROOT=$RUN_FOLDER/build
# Survives a restart of the machine, as the list of what not to install again must.
STATE_FOLDER=/var/lib/nixos-deploy
SYSTEM_PROFILE=/nix/var/nix/profiles/system

# An answer. The prefix tells it from what a login shell's own files print.
say() {
  printf 'nixos-deploy %s %s\n' "$1" "${2-}"
}

# Replaces a file at once, so that no reader meets half of it.
put() {
  printf '%s\n' "$2" >"$1.new"
  mv -f "$1.new" "$1"
}

# The first line of a file, or nothing.
get() {
  local line=
  [[ ! -e $1 ]] || IFS= read -r line <"$1" || true
  printf '%s' "$line"
}

# Lease, hold and guard change together or not at all. The lock is only ever held for moments.
lock() {
  mkdir -p "$RUN_FOLDER"
  exec 9>"$RUN_FOLDER/lock"
  flock -w 30 9
}

system_now() {
  readlink -f /run/current-system || true
}

profile_now() {
  readlink -f "$SYSTEM_PROFILE" || true
}

# none, armed, switching, switched <exit code>, rolling-back <reason>, rolled-back <reason>, rollback-failed <reason>,
# released, confirmed <exit code>
guard_state() {
  local state
  state=$(get "$GUARD_FOLDER/state")
  printf '%s' "${state:-none}"
}

# "<token> <unix time> <holder>", or nothing when there is none or it has expired.
lease_now() {
  local lease token until
  lease=$(get "$LEASE_FILE")
  read -r token until _ <<<"$lease"
  if [[ -n $token ]] && ((until > $(date +%s))); then
    printf '%s' "$lease"
  fi
}

lease_token() {
  local token
  read -r token _ <<<"$(lease_now)"
  printf '%s' "$token"
}

# Lease and hold last until so many seconds from now, and end by themselves when nobody renews them.
write_lease() {
  local token=$1 seconds=$2 holder=$3 until
  until=$(($(date +%s) + seconds))
  put "$LEASE_FILE" "$token $until $holder"
  put "$HOLD_FILE" "$until"
}

drop_lease() {
  if [[ $(lease_token) == "$1" ]]; then
    rm -f "$LEASE_FILE" "$HOLD_FILE" "$BUILD_ROOT"
  fi
}
