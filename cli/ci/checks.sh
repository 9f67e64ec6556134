#!/usr/bin/env bash
# The two required checks, for a CI that is not GitHub Actions: Jenkins, GitLab, Buildkite, a cron job.
#
#   cli/ci/checks.sh            both, one after the other
#   cli/ci/checks.sh evaluate   "Evaluate flake.nix": every output can be evaluated, formatting, no secret in the open
#   cli/ci/checks.sh build      "nixosConfig default": the machine's system can be built
#
# Needs Nix 2.8 or newer, and uses Node.js where it is. CHECKS_FLAKE names another folder than nix/, CHECKS_ATTRIBUTE another machine than "default".
# Ends with 0 when every check passed, with 1 when one failed, with 2 for a wrong argument. Reporting the result to
# GitHub under the two names is the CI's job, by its plugin or a commit status.
#
# Functions are called by their names, which shellcheck does not see.
# shellcheck disable=SC2317
set -euo pipefail
cd "$(dirname "$0")/../.."

flake=path:$(realpath "${CHECKS_FLAKE:-nix}")
attribute=${CHECKS_ATTRIBUTE:-default}

nix_command() {
  nix --extra-experimental-features 'nix-command flakes' "$@"
}

# The search that sees every byte, before Nix copies the folder into its store; the one in Nix comes with the evaluation.
search() {
  ! command -v node >/dev/null || node components/deploy/flakeSecrets.mjs "${CHECKS_FLAKE:-nix}" >&2
}

evaluate() {
  local system
  search &&
    system=$(nix_command eval --impure --raw --expr builtins.currentSystem) &&
    nix_command flake check "$flake" --no-build &&
    nix_command build --no-link --print-build-logs "$flake#checks.$system.formatting" "$flake#checks.$system.secrets"
}

build() {
  nix_command build --no-link --print-build-logs "$flake#nixosConfigurations.\"$attribute\".config.system.build.toplevel"
}

failed=0

# The command's own messages go through, its verdict comes after them under the check's name.
check() {
  local name=$1
  shift
  echo "== $name" >&2
  if "$@"; then
    echo "passed: $name"
  else
    echo "failed: $name"
    failed=1
  fi
}

case ${1:-} in --help | -h)
  sed -n '2,10s/^# \{0,1\}//p' "$0"
  exit
  ;;
esac

command -v nix >/dev/null || {
  echo "checks: nix is missing. Install it: https://nixos.org/download" >&2
  exit 1
}

case ${1:-both} in
evaluate) check "Evaluate flake.nix" evaluate ;;
build) check "nixosConfig $attribute" build ;;
both)
  check "Evaluate flake.nix" evaluate
  check "nixosConfig $attribute" build
  ;;
*)
  echo "checks: got \"$1\"; allowed: evaluate, build, or nothing for both." >&2
  exit 2
  ;;
esac
exit "$failed"
