#!/usr/bin/env bash
# Builds the formatter of Nix files that the tests use into the cache, and prints the folder it is in. Run again, it
# only prints that.
#
# nixfmt itself is a Haskell program that neither Debian nor a language's registry has; this one, in Rust, formats
# alike. Needs cargo; less than a minute on two cores the first time.
set -euo pipefail

version=0.5.3
cache=${XDG_CACHE_HOME:-$HOME/.cache}/pulumi-nixos
mark=$cache/nixfmt_rs-$version

if [[ -x $cache/bin/nixfmt && -e $mark ]]; then
  echo "$cache/bin"
  exit
fi

if ! command -v cargo >/dev/null; then
  echo "install-nixfmt: cargo is missing. Install Rust, or nixfmt itself (https://github.com/NixOS/nixfmt)." >&2
  exit 1
fi

mkdir -p "$cache/bin"
# Built beside its place: two runs at once must not write one file.
work=$(mktemp -d "$cache/install-nixfmt.XXXXXX")
trap 'rm -rf "$work"' EXIT
echo "install-nixfmt: building nixfmt_rs $version" >&2
cargo install --quiet --locked --root "$work" --version "$version" nixfmt_rs >&2
mv "$work/bin/nixfmt" "$cache/bin/nixfmt"
: >"$mark"
echo "$cache/bin"
