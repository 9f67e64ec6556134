#!/usr/bin/env bash
# Signs a built installable with everything it refers to, and copies it to the binary cache.
#
#   CACHE_SUBSTITUTER=s3://bucket?region=… CACHE_SIGNING_KEY=name:… fill-cache.sh ./nix#system
#
# The key comes by the environment, or several of them on standard input, one a line. They go to files that only this
# user can read, as Nix wants them: never on a command line, which every process of the computer can see.
set -euo pipefail

: "${CACHE_SUBSTITUTER:?which cache to fill, such as s3://bucket?region=us-east-1}"
keys=()
if [[ -n ${CACHE_SIGNING_KEY:-} ]]; then
  keys=("$CACHE_SIGNING_KEY")
elif [[ ! -t 0 ]]; then
  mapfile -t keys
fi
if [[ ${#keys[@]} == 0 ]]; then
  echo "fill-cache: CACHE_SIGNING_KEY is empty. Unsigned builds are of no use: no machine takes them." >&2
  echo "Set the repository's secret of that name; with integration.cache and integration.githubActionsRoles on, pulumi up does." >&2
  exit 1
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for number in "${!keys[@]}"; do
  (umask 077 && printf '%s' "${keys[$number]}" >"$folder/key$number")
done
# The programs that Nix starts need not have it.
unset CACHE_SIGNING_KEY

separator='?'
[[ $CACHE_SUBSTITUTER != *\?* ]] || separator='&'
# What this computer remembers of the cache may be older than the last collection there.
options=(--extra-experimental-features 'nix-command flakes'
  --option narinfo-cache-positive-ttl 0 --option narinfo-cache-negative-ttl 0)
nix "${options[@]}" copy --to "$CACHE_SUBSTITUTER${separator}compression=zstd&secret-key=$folder/key0" "$@"

# What was there before is not copied again, and has the signatures of then: a machine that trusts only a newer key would
# not take it. It also fails when anything that the installable refers to is missing in the cache.
mapfile -t paths < <(nix "${options[@]}" path-info "$@")
for number in "${!keys[@]}"; do
  nix "${options[@]}" store sign --store "$CACHE_SUBSTITUTER${separator}compression=zstd" \
    --key-file "$folder/key$number" --recursive "${paths[@]}"
done
