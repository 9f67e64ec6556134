#!/usr/bin/env bash
# Builds the Pulumi CLI and its host of programs in YAML into the cache, and prints the folder they are in. Run again,
# it only prints that.
#
# From source, because no package registry has the programs themselves: the modules and their checksums are pinned in
# .ci/pulumi and .ci/pulumi-yaml. Pulumi's host of programs in Node is in no module; where Pulumi is not installed as a
# whole, the tests have a stand-in for it (cli/rehearse/drivers/languageHost). Needs Go; five minutes of two cores the
# first time.
set -euo pipefail
cd "$(dirname "$0")"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/pulumi-nixos
folder=$cache/bin
# What was built last; a checkout with other pins builds again.
mark=$cache/pulumi.built
pinned=$(cat pulumi*/go.mod pulumi*/go.sum | sha256sum)

if [[ -x $folder/pulumi && -x $folder/pulumi-language-yaml && $(cat "$mark" 2>/dev/null || true) == "$pinned" ]]; then
  echo "$folder"
  exit
fi

if ! command -v go >/dev/null; then
  echo "install-pulumi: go is missing. Install Go, or Pulumi itself (https://www.pulumi.com/docs/install)." >&2
  exit 1
fi

# Builds the program of one of the folders here. Its version is that of a module, put into a variable as releases do.
build() {
  local from=$1 program=$2 module=$3 variable=$4 version
  version=$(sed -n "s|^\t$module \(v[^ ]*\).*|\1|p" "$from/go.mod")
  echo "install-pulumi: building ${program##*/} $version" >&2
  # Without the repository's revision, which Go cannot read in a checkout of another user.
  go -C "$from" build -mod=readonly -buildvcs=false -p 2 -ldflags "-s -w -X $variable=$version" -o "$work/" "$program" >&2
}

mkdir -p "$folder"
# Built beside its place: two runs at once must not write one file.
work=$(mktemp -d "$cache/install-pulumi.XXXXXX")
trap 'rm -rf "$work"' EXIT
export GOWORK=off
build pulumi github.com/pulumi/pulumi/pkg/v3/cmd/pulumi \
  github.com/pulumi/pulumi/sdk/v3 github.com/pulumi/pulumi/sdk/v3/go/common/version.Version
build pulumi-yaml github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml \
  github.com/pulumi/pulumi-yaml github.com/pulumi/pulumi-yaml/pkg/version.Version
mv "$work/pulumi" "$work/pulumi-language-yaml" "$folder/"
printf '%s\n' "$pinned" >"$mark"
echo "$folder"
