#!/usr/bin/env bash
# Installs moto's server and the AWS CLI into the tools' folder, at the versions pinned in .ci/moto.txt. Run again with the
# same versions, it does nothing. Needs Python 3.
set -euo pipefail
cd "$(dirname "$0")"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/pulumi-nixos
folder=$cache/moto-$(sha256sum moto.txt | cut -c1-16)

if [[ ! -e $folder/complete ]]; then
  mkdir -p "$folder" "$cache/bin"
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet --no-deps --requirement moto.txt >&2
  : >"$folder/complete"
fi
ln -sf "$folder/bin/moto_server" "$folder/bin/aws" "$cache/bin/"
