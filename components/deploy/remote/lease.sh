# shellcheck shell=bash
# One deployment at a time, and no automatic upgrade meanwhile: a lease that ends by itself when nobody renews it.

# Takes the lease, unless another deployment has it. A deployment that is known to be dead is named by its token.
# Usage: take_lease TOKEN SECONDS HOLDER DEAD-TOKEN
take_lease() {
  local current
  lock
  current=$(lease_token)
  if [[ -n $current && $current != "$1" && $current != "$4" ]]; then
    say held "$(lease_now)"
    return
  fi
  write_lease "$1" "$2" "$3"
  say leased "$1"
  say guard "$(guard_state)"
  say guard-system "$(get "$GUARD_FOLDER/system")"
  say guard-token "$(get "$GUARD_FOLDER/token")"
  say guard-protocol "$(get "$GUARD_FOLDER/protocol")"
  # After the lease is written: an upgrade that began before is seen here, and none begins after.
  say upgrade "$(systemctl is-active "$UPGRADE_UNIT.service" || true)"
  say system "$(system_now)"
  say profile "$(profile_now)"
}

# Usage: renew_lease TOKEN SECONDS HOLDER
renew_lease() {
  local until now
  lock
  if ! has_lease "$1"; then
    say lost "$(lease_now)"
    return
  fi
  read -r _ until _ <<<"$(lease_now)"
  now=$(date +%s)
  # An armed guard has made it longer; that stays.
  if [[ -z $until ]] || ((until < now + $2)); then
    write_lease "$1" "$2" "$3"
  fi
  say leased "$1"
}
