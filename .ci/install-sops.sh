#!/usr/bin/env bash
# Builds the sops that the tests use into the cache, and prints the folder it is in. Run again, it only prints that.
#
# From source, because distributions have no sops or one that takes values as arguments only. Needs Go; about two
# minutes on two cores the first time.
set -euo pipefail

version=3.13.3
folder=${XDG_CACHE_HOME:-$HOME/.cache}/pulumi-nixos/bin

if [[ $("$folder/sops" --version --disable-version-check 2>/dev/null || true) == "sops $version"* ]]; then
  echo "$folder"
  exit
fi

if ! command -v go >/dev/null; then
  echo "install-sops: go is missing. Install Go, or sops $version itself (https://getsops.io)." >&2
  exit 1
fi

mkdir -p "$folder"
# Built beside its place: two runs at once must not write one file.
work=$(mktemp -d "$folder/../install-sops.XXXXXX")
trap 'rm -rf "$work"' EXIT
echo "install-sops: building sops $version" >&2
GOBIN=$work go install "github.com/getsops/sops/v3/cmd/sops@v$version" >&2
mv "$work/sops" "$folder/sops"
echo "$folder"
