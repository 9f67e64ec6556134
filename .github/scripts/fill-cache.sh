#!/usr/bin/env bash
# Signs a built installable with everything it refers to, and copies it to the binary cache.
#
#   CACHE_SUBSTITUTER=s3://bucket?region=… CACHE_SIGNING_KEY=name:… fill-cache.sh ./nix#system
#
# The key comes by the environment and goes to a file that only this user can read, as Nix wants it: never on a command
# line, which every process of the computer can see.
set -euo pipefail

: "${CACHE_SUBSTITUTER:?which cache to fill, such as s3://bucket?region=us-east-1}"
if [[ -z ${CACHE_SIGNING_KEY:-} ]]; then
  echo "fill-cache: CACHE_SIGNING_KEY is empty. Unsigned builds are of no use: no machine takes them." >&2
  echo "Set the repository's secret of that name; with integration.cache and integration.githubActionsRoles on, pulumi up does." >&2
  exit 1
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
(umask 077 && printf '%s' "$CACHE_SIGNING_KEY" >"$folder/key")
# The programs that Nix starts need not have it.
unset CACHE_SIGNING_KEY

separator='?'
[[ $CACHE_SUBSTITUTER != *\?* ]] || separator='&'
nix --extra-experimental-features 'nix-command flakes' copy \
  --to "$CACHE_SUBSTITUTER${separator}compression=zstd&secret-key=$folder/key" "$@"
