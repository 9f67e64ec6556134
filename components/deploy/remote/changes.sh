# shellcheck shell=bash
# Says which packages differ between two systems of this machine. Changes nothing.

# Usage: changes OLD NEW
changes() {
  local line
  nix --extra-experimental-features nix-command store diff-closures "$1" "$2" 2>/dev/null | while read -r line; do
    [[ -z $line ]] || say change "$line"
  done
}
