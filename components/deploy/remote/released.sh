# shellcheck shell=bash
# Says why the system that runs now takes no other system than one that continuous integration has released; nothing where
# it takes any, or where a release names this one. Changes nothing.

# Usage: released SYSTEM
released() {
  local program=/run/current-system/etc/nixos-upgrade/released answer status=0
  [[ -x $program ]] || return 0
  answer=$(timeout 90 "$program" "$1" 2>&1) || status=$?
  [[ $status == 0 ]] || say unreleased "${answer//$'\n'/ }"
}
