#!/usr/bin/env bash
# Installs what the tests need beside Node and Nix on a runner of GitHub, and puts it on the PATH of later steps.
set -euo pipefail
cd "$(dirname "$0")/../.."

packages=(openssh-server age jq patchelf systemd dbus nginx-light nftables iproute2 util-linux e2fsprogs openssl prometheus)
sudo apt-get update -qq
# The tests run services of their own; none is to start on the computer.
sudo RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null

bash .ci/install-sops.sh >>"$GITHUB_PATH"

# The newer Nix that .ci/install-nix.sh unpacks on Debian is the runner's own here.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/pulumi-nixos
for suite in trixie sid; do
  mkdir -p "$cache/nix-$suite"
  ln -sfn "$(dirname "$(command -v nix)")" "$cache/nix-$suite/bin"
done
