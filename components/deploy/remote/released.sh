# shellcheck shell=bash
# Says whether the system that runs now takes another one, and why not, where it takes only what continuous integration
# has released. Changes nothing.

# Usage: released SYSTEM
released() {
  local program=/run/current-system/etc/nixos-upgrade/released answer status=0
  [[ ! -x $program ]] || answer=$(timeout 90 "$program" "$1" 2>&1) || status=$?
  if [[ $status == 0 ]]; then say takes; else say unreleased "${answer//$'\n'/ }"; fi
}
