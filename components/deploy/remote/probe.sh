# shellcheck shell=bash
# Says in one connection what the deployment must know of the machine. Changes nothing.

probe() {
  local key
  if [[ ! -e /var/lib/id_ed25519 ]]; then
    say key-missing
  elif [[ ! -s /var/lib/id_ed25519 ]]; then
    say key-empty
  elif key=$(ssh-keygen -y -P '' -f /var/lib/id_ed25519 2>/dev/null </dev/null); then
    say key "$key"
  else
    say key-unreadable
  fi

  say protocol "$(get "$PROTOCOL_FILE")"
  say system "$(system_now)"
  say profile "$(profile_now)"
  say deployed "$(get "$DEPLOYED_FILE")"
  say upgrade "$(systemctl is-active "$UPGRADE_UNIT.service" || true)"
  say lease "$(lease_now)"
  say guard "$(guard_state)"
  say_units < <(judge_units_now 5)
  say probed
}
