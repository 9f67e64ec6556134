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
# With "$" a name might end with a line.
name='\A[A-Za-z0-9_.-]{1,100}\z'
# Of a Nix that evaluates more at once, memory grows with each, and a runner has 16 GB.
at_once=8

refuse() {
  echo "machines: $1" >&2
  exit 1
}

# Usage: of_the_machines FUNCTION, in Nix, of nixosConfigurations
of_the_machines() {
  nix --extra-experimental-features 'nix-command flakes' eval --json \
    "path:$(realpath "${CHECKS_FLAKE:-nix}")#nixosConfigurations" --apply "$1" ||
    refuse "the flake's nixosConfigurations cannot be evaluated; Nix says above why."
}

list() {
  local names count odd strange first machines='{}' some
  names=$(of_the_machines builtins.attrNames)
  jq --exit-status 'index("default")' <<<"$names" >/dev/null ||
    refuse "the flake has no nixosConfigurations.default, which the check \"nixosConfig default\" builds and a machine follows unless it says otherwise; it has: $(jq --raw-output 'join(", ") | if . == "" then "none" else . end' <<<"$names")."
  count=$(jq length <<<"$names")
  ((count <= most)) || refuse "the flake has $count machines; at most $most are taken, as GitHub's matrices have at most 256 jobs."
  odd=$(jq --raw-output --arg name "$name" '[.[] | select(test($name) | not) | @json] | join(", ")' <<<"$names")
  [[ -z $odd ]] || refuse "names of machines have letters, digits, \"_\", \".\" and \"-\", at most 100 of them; got $odd."
  for ((first = 0; first < count; first += at_once)); do
    # Such names are the same text in JSON and Nix.
    some=$(jq --raw-output --argjson first "$first" --argjson most "$at_once" '.[$first:$first + $most] | map(@json) | join(" ")' <<<"$names")
    some=$(of_the_machines "machines: builtins.listToAttrs (map (name: { inherit name; value = machines.\${name}.config.system.build.toplevel.system; }) [ $some ])")
    machines=$(jq --compact-output --argjson some "$some" '. + $some' <<<"$machines")
  done
  strange=$(jq --raw-output '[to_entries[] | select(.value | IN("x86_64-linux", "aarch64-linux") | not) | "\(.key) (\(.value))"] | join(", ")' <<<"$machines")
  [[ -z $strange ]] || refuse "GitHub builds for x86_64-linux and aarch64-linux; got $strange. Leave such a machine out of nixosConfigurations, or build it in a CI of your own (cli/ci/checks.sh)."
  jq --compact-output 'del(.default) | to_entries
    | map({attribute: .key, runner: (if .value == "aarch64-linux" then "ubuntu-24.04-arm" else "ubuntu-24.04" end)})' <<<"$machines"
}

verdict() {
  local bad
  # A job without machines to build is skipped, and only then may it be. What cannot be read is not good.
  # shellcheck disable=SC2016 # jq's own names
  bad=$(jq --slurp --raw-output '
    if length == 1 then .[0] else error("NEEDS is not one value") end
    | (.list.outputs.machines == "[]") as $none
    | (["list", "others", "build", "evaluate"] - keys | map("\(.): missing"))
      + (to_entries | map(select(.value.result != "success" and ((.key == "others" and $none and .value.result == "skipped") | not))
        | "\(.key): \(.value.result)"))
    | join("\n")' <<<"$NEEDS") || refuse "what became of the jobs cannot be read from NEEDS: $NEEDS"
  [[ -z $bad ]] || refuse "not every job has succeeded:
$bad"
  echo "All machines are well."
}

case ${1:-} in
list | verdict) "$1" ;;
*)
  echo "machines: got \"${1:-}\"; allowed: list, verdict." >&2
  exit 2
  ;;
esac
