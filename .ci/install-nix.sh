#!/usr/bin/env bash
# Unpacks a newer Nix than this Debian release has, beside the system, and prints the folder of its commands.
#
# The tests need what Debian 12's Nix 2.8 lacks (`nix build drv^*`, `--print-out-paths`, `s3://`). Adding a newer
# suite to the system would upgrade libc6, so apt works here on a state folder of its own: packages are downloaded
# and unpacked into the cache, and the one binary is told where its libraries are. Nothing is installed.
#
# Usage: install-nix.sh [SUITE]     trixie (Nix 2.26) by default; sid has a newer one
# Needs: Debian's apt, dpkg-deb and patchelf. Run again, it only prints the folder.
set -euo pipefail

suite=${1:-trixie}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/pulumi-nixos
target=$cache/nix-$suite

say() { printf 'install-nix: %s\n' "$*" >&2; }

if [[ -x $target/bin/nix ]] && "$target/bin/nix" --version >/dev/null 2>&1; then
  echo "$target/bin"
  exit
fi

for tool in apt-get dpkg-deb patchelf; do
  if ! command -v "$tool" >/dev/null; then
    say "$tool is missing. On Debian: apt-get install patchelf. Elsewhere, install Nix 2.18 or newer yourself."
    exit 1
  fi
done

# The archive's address comes from the system's own sources: the first that serves this release itself.
codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
# shellcheck disable=SC2016 # apt's own variables
archive=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT) $(ORIGIN)' 'Created-By: Packages' |
  awk -v codename="$codename" '$2 == codename && $3 == "main" && $4 == "Debian" && !found { print $1; found = 1 }')
if [[ -z $archive ]]; then
  say "no Debian archive for \"$codename\" among apt's sources; run apt-get update, or install Nix 2.18 or newer yourself"
  exit 1
fi

mkdir -p "$cache"
work=$(mktemp -d "$cache/install-nix.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{state/lists/partial,cache/archives/partial,root}
touch "$work/status"
# Debian's key ring by name: the system's sources may name it by file or not at all.
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive $suite main" >"$work/sources.list"
options=(
  -o "Dir::State=$work/state" -o "Dir::State::status=$work/status" -o "Dir::Cache=$work/cache"
  -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Acquire::Languages=none
  -o APT::Install-Recommends=false -o APT::Sandbox::User=root -o Acquire::Retries=3
)

say "downloading nix-bin of Debian $suite"
{
  apt-get "${options[@]}" update
  apt-get "${options[@]}" --yes --download-only install nix-bin
} >"$work/log" 2>&1 || {
  tail -n 20 "$work/log" >&2
  exit 1
}

# The libraries and Nix itself; perl, passwd and the like come along as dependencies and are not needed.
for package in "$work"/cache/archives/{nix-bin,lib}*.deb; do
  dpkg-deb --extract "$package" "$work/root"
done
# A library folder of an unmerged layout would be missed by the glob below.
if [[ -d $work/root/lib && ! -L $work/root/lib ]]; then
  cp -a "$work/root/lib/." "$work/root/usr/lib/"
fi

libraries=()
for folder in "$work"/root/usr/lib/*-linux-gnu*; do
  libraries+=("${folder/#"$work/root"/$target}")
done
loader=$(find "$work/root" -name 'ld-linux*.so.*' -print -quit)
# RPATH, not RUNPATH: only that is also used for the libraries of the libraries.
patchelf --force-rpath \
  --set-interpreter "${loader/#"$work/root"/$target}" \
  --set-rpath "$(IFS=: && echo "${libraries[*]}")" \
  "$work/root/usr/bin/nix"
# Only Nix's own commands: this folder is for PATH.
mkdir "$work/root/bin"
mv "$work"/root/usr/bin/nix* "$work/root/bin"

# In one step, so that a run cut off before leaves nothing half done under the name that the tests look for.
rm -rf "$target"
mv "$work/root" "$target"
"$target/bin/nix" --version >&2
echo "$target/bin"
