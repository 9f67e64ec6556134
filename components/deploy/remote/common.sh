# shellcheck shell=bash
# What the scripts that run on the machine share. components/deploy/machine.mjs sends it with the files of shared/, one
# other, and a last line that calls a function; so a connection that breaks half way runs nothing.
set -euo pipefail
umask 022

# A system that this deployment builds, until it is installed.
# shellcheck disable=SC2034 # build.sh uses it
BUILD_ROOT=$RUN_FOLDER/build

# An answer. The prefix tells it from what a login shell's own files print.
say() {
  printf 'nixos-deploy %s %s\n' "$1" "${2-}"
}

# Replaces a file at once, so that no reader meets half of it, and a full disk leaves the old one.
put() {
  printf '%s\n' "$2" >"$1.new" && mv -f "$1.new" "$1"
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

# Since the start of the machine: unlike the time of day it cannot be set.
uptime_seconds() {
  local seconds
  read -r seconds _ </proc/uptime
  printf '%s' "${seconds%.*}"
}

# What is said of units and checks, from "fault NAME WHAT" and "known NAME WHAT".
say_units() {
  local verdict name
  while read -r verdict name _; do
    case "$verdict $name" in
    "fault check:"*) say failed-check "${name#check:}" ;;
    "known check:"*) say known-failed-check "${name#check:}" ;;
    fault*) say failed-unit "$name" ;;
    known*) say known-failed-unit "$name" ;;
    esac
  done
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
  local lease until
  lease=$(get "$LEASE_FILE")
  read -r _ until _ <<<"$lease"
  ! in_force "$until" || printf '%s' "$lease"
}

lease_token() {
  local token
  read -r token _ <<<"$(lease_now)"
  printf '%s' "$token"
}

# Whether a deployment has the lease. One that expired and that nobody took since is still its own: the clock may have
# been set. But an automatic upgrade that began meanwhile goes first. Usage: has_lease TOKEN
has_lease() {
  local token
  read -r token _ <<<"$(get "$LEASE_FILE")"
  [[ $token == "$1" ]] || return 1
  [[ -z $(lease_now) ]] || return 0
  case $(systemctl is-active "$UPGRADE_UNIT.service") in
  active | activating | deactivating | reloading) return 1 ;;
  esac
}

# Lease and hold last until so many seconds from now, and end by themselves when nobody renews them.
write_lease() {
  local token=$1 seconds=$2 holder=$3 until
  # A lease of a day or more would be taken for a mistake.
  ((seconds < 86000)) || seconds=86000
  until=$(($(date +%s) + seconds))
  put "$LEASE_FILE" "$token $until $holder"
  put "$HOLD_FILE" "$until"
}

drop_lease() {
  local token
  read -r token _ <<<"$(get "$LEASE_FILE")"
  if [[ $token == "$1" ]]; then
    rm -f "$LEASE_FILE" "$HOLD_FILE" "$BUILD_ROOT"
  fi
}
