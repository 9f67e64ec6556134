# shellcheck shell=bash
# Says what the repository answers to the system that runs now, as its own upgrade would hear it. Changes nothing.

# Usage: repository SECONDS
repository() {
  local remote=/run/current-system/etc/nixos-upgrade/remote answer
  # Another system than this project's upgrades itself in its own way, or not at all.
  [[ -x $remote ]] || return 0
  answer=$(timeout "$1" "$remote" 2>/dev/null) || return 0
  say repository "${answer//$'\n'/ }"
}
