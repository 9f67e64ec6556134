#!/usr/bin/env bash
# Keeps a view of this computer in which everything is as it is, except that /nix is an empty folder in memory: the
# place where a deployment is run, as on a workstation of its own.
#
# Usage: client.sh FOLDER    started by client.ts
# Prints "pid N", whose mount namespace is the view, and lives until its standard input ends.
set -euo pipefail

folder=$1

if [[ -z ${CLIENT_UNSHARED:-} ]]; then
  CLIENT_UNSHARED=1 exec unshare --mount --propagation private bash "$0" "$folder"
fi

root=$folder/root
mkdir -p "$root"
mount -t tmpfs -o mode=755 tmpfs "$root"
# Or binding the folder that it lies in would bring a copy of it along.
mount --make-unbindable "$root"

shopt -s dotglob
for path in /*; do
  if [[ -L $path ]]; then
    cp -P "$path" "$root$path"
  elif [[ $path == /nix ]]; then
    continue
  elif [[ -d $path ]]; then
    mkdir "$root$path"
    mount --rbind "$path" "$root$path"
  elif [[ -f $path ]]; then
    : >"$root$path"
    mount --bind "$path" "$root$path"
  fi
done
mkdir "$root/nix" "$root/.old"
mount -t tmpfs -o mode=755 tmpfs "$root/nix"
mount --bind "$folder/ssh_config" "$root/etc/ssh/ssh_config"

cd "$root"
pivot_root . .old
umount -l /.old
rmdir /.old
echo "pid $$"
cat >/dev/null
