#!/usr/bin/env bash
# Installs the scanners into the cache, at the versions pinned here and in .ci/scanners.txt, and prints the folder of
# their programs. Run again with the same versions, it only prints that. Needs Go and Python 3.
set -euo pipefail
cd "$(dirname "$0")"

gitleaks=github.com/zricethezav/gitleaks/v8@v8.28.0

version=$(printf '%s\n' "$gitleaks" | cat - scanners.txt | sha256sum | cut -c1-16)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/pulumi-nixos/scanners-$version

if [[ ! -e $folder/complete ]]; then
  echo "install-scanners: building gitleaks, installing the rest" >&2
  mkdir -p "$folder"
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet --no-deps --requirement scanners.txt >&2
  GOBIN=$folder/bin go install "$gitleaks" >&2
  : >"$folder/complete"
fi
echo "$folder/bin"
