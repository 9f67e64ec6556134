#!/usr/bin/env bash
# Installs the scanner of workflows into the cache, and prints the folder it is in. Run again, it only prints that.
#
# In an environment of its own, because Debian guards the system's Python against pip.
set -euo pipefail

version=1.32.0
folder=${XDG_CACHE_HOME:-$HOME/.cache}/pulumi-nixos/zizmor-$version

if [[ ! -x $folder/bin/zizmor ]]; then
  if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    echo "install-zizmor: Python's venv is missing. On Debian: apt-get install python3-venv." >&2
    exit 1
  fi
  rm -rf "$folder"
  python3 -m venv "$folder" >&2
  "$folder/bin/pip" install --quiet --disable-pip-version-check "zizmor==$version" >&2
fi
echo "$folder/bin"
