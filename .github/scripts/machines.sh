#!/usr/bin/env bash
# The machines of the flake, and whether all of them are well: for the jobs of ci.yml.
#
#   machines.sh list      prints as JSON what a matrix needs of each machine but "default", which has a job of its own
#   machines.sh verdict   fails unless every job that NEEDS tells of has succeeded; NEEDS is the job's toJSON(needs)
#
# CHECKS_FLAKE names another folder than nix/.
set -euo pipefail
cd "$(dirname "$0")/../.."

# As many as GitHub takes in one matrix, and "default".
most=257
name='^[A-Za-z0-9_.-]{1,100}$'

refuse() {
  echo "machines: $1" >&2
  exit 1
}

list() {
  local machines count odd strange
  # shellcheck disable=SC2016 # Nix's own names
  machines=$(nix --extra-experimental-features 'nix-command flakes' eval --json \
    "path:$(realpath "${CHECKS_FLAKE:-nix}")#nixosConfigurations" \
    --apply 'machines: builtins.mapAttrs (_: machine: machine.config.system.build.toplevel.system) machines') ||
    refuse "the flake's nixosConfigurations cannot be evaluated; Nix says above why."
  jq --exit-status 'has("default")' <<<"$machines" >/dev/null ||
    refuse "the flake has no nixosConfigurations.default, which the check \"nixosConfig default\" builds and a machine follows unless it says otherwise; it has: $(jq --raw-output 'keys | join(", ") | if . == "" then "none" else . end' <<<"$machines")."
  count=$(jq length <<<"$machines")
  ((count <= most)) || refuse "the flake has $count machines; at most $most are taken, as GitHub's matrices have at most 256 jobs."
  odd=$(jq --raw-output --arg name "$name" '[keys[] | select(test($name) | not) | @json] | join(", ")' <<<"$machines")
  [[ -z $odd ]] || refuse "names of machines have letters, digits, \"_\", \".\" and \"-\", at most 100 of them; got $odd."
  strange=$(jq --raw-output '[to_entries[] | select(.value | IN("x86_64-linux", "aarch64-linux") | not) | "\(.key) (\(.value))"] | join(", ")' <<<"$machines")
  [[ -z $strange ]] || refuse "GitHub builds for x86_64-linux and aarch64-linux; got $strange. Leave such a machine out of nixosConfigurations, or build it in a CI of your own (cli/ci/checks.sh)."
  jq --compact-output 'del(.default) | to_entries
    | map({attribute: .key, runner: (if .value == "aarch64-linux" then "ubuntu-24.04-arm" else "ubuntu-24.04" end)})' <<<"$machines"
}

verdict() {
  # A job without machines to build is skipped, and only then may it be.
  # shellcheck disable=SC2016 # jq's own names
  jq --raw-output --exit-status '
    (.list.outputs.machines == "[]") as $none
    | to_entries | map(select(.value.result != "success" and ((.key == "others" and $none and .value.result == "skipped") | not)))
    | map("\(.key): \(.value.result)")
    | if . == [] then empty else join("\n") end' <<<"$NEEDS" >&2 && refuse "not every job has succeeded; see above."
  jq --exit-status 'has("list") and has("others") and has("build") and has("evaluate")' <<<"$NEEDS" >/dev/null ||
    refuse "jobs are missing in NEEDS: $NEEDS"
  echo "All machines are well."
}

case ${1:-} in
list | verdict) "$1" ;;
*)
  echo "machines: got \"${1:-}\"; allowed: list, verdict." >&2
  exit 2
  ;;
esac
