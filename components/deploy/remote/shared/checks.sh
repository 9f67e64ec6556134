# shellcheck shell=bash
# Do a system's own checks (pulumiNixos.upgrade.health.checks) pass? The one rule of the automatic upgrade and of deployments.
# A system brings the program that runs them along, and a file for each of them; one without it has none.

# Checks that fail, one a line: "check:NAME WHAT". One that fails is asked twice, unless `once` is said.
# Usage: checks_in_trouble SYSTEM [once]
checks_in_trouble() {
  local program=$1/etc/nixos-upgrade/checks
  [[ -x $program ]] || return 0
  # Without the lock that its caller may hold.
  "$program" "$1/etc/nixos-upgrade/checks.d" "${2-}" </dev/null 9>&- || printf 'check:all could not be run\n'
}

# What a system makes of a check, as `unit_text` has it of a unit. Usage: check_text NAME SYSTEM
check_text() {
  local file=$2/etc/nixos-upgrade/checks.d/$1
  [[ ! -f $file ]] || text_with_what_it_names 3 "$file"
}
