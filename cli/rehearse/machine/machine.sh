#!/usr/bin/env bash
# Runs a machine on this computer: systemd as PID 1 in namespaces of its own, on a root that is a throw-away layer
# over this computer's files. Only the network is shared, so that its sshd can be reached over loopback.
#
# Usage: machine.sh FOLDER    started by machine.ts, which prepares FOLDER and says what is in it
# Prints "pid N", the machine's PID 1 as seen from here, and lives until its standard input ends: so the machine goes
# with the process that started it, however that ends. A line "restart" takes its power away and starts it again: its
# disk stays as it was, what is in /run, /tmp and /dev goes, and another "pid N" follows.
#
# Nothing of it can reach the real /nix, /run, /var or /root: they are below the layer, and the layer is in memory.
set -euo pipefail

folder=$1
stage=${2:-outside}

outside() {
  # A control group of its own: systemd takes the root of what it sees for itself.
  mkdir -p "$folder/cgroup"
  mount -t cgroup2 none "$folder/cgroup"
  local stale
  for stale in "$folder"/cgroup/pulumi-nixos-bench-*; do
    # Of one that was killed itself.
    kill -0 "${stale##*-}" 2>/dev/null || find "$stale" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
  group=$folder/cgroup/pulumi-nixos-bench-$$
  mkdir "$group"
  trap remove_groups EXIT

  prepare_disk
  start
  # Until the other side of the pipe is closed, by choice or by death; then nobody reads what bash has to say either,
  # which must not end it before everything is cleared away.
  trap '' PIPE
  local line
  while read -r line; do
    [[ $line == restart ]] || continue
    stop
    start
  done
  stop
}

start() {
  local net=()
  # With a network of its own it can have a firewall; then nobody reaches its sshd from here.
  [[ $(<"$folder/network") != own ]] || net=(--net)
  (
    echo "$BASHPID" >"$group/cgroup.procs"
    # With this script, however it ends, goes the machine.
    exec setpriv --pdeathsig KILL unshare --cgroup --pid --fork --kill-child --mount --propagation private --ipc --uts \
      "${net[@]}" bash "$0" "$folder" inside
  ) </dev/null >>"$folder/console.log" 2>&1 &
  unshare=$!

  until first=$(<"/proc/$unshare/task/$unshare/children") && [[ -n $first ]]; do
    if ! kill -0 "$unshare" 2>/dev/null; then
      cat "$folder/console.log" >&2
      exit 1
    fi
    sleep 0.02
  done
  first=${first% }
  echo "pid $first"
}

# PID 1 takes everything in its namespace along.
stop() {
  kill -KILL "$first" 2>/dev/null || true
  wait "$unshare" || true
}

remove_groups() {
  local try
  for try in {1..50}; do
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
    [[ -d $group ]] || return 0
    sleep 0.1
  done
  echo "machine.sh: control group ${group##*/} is still in use after $try tries" >&2
}

prepare_disk() {
  local root=$folder/root layer=$folder/layer
  mkdir -p "$root" "$layer"
  mount -t tmpfs -o mode=755 tmpfs "$layer"
  mkdir "$layer"/{upper,work}
  # Only the root file system of this computer is below, not what is mounted on it: no /proc, no /run of the host.
  mount -t overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" overlay "$root"

  local path
  for path in var/lib var/tmp root boot nix etc/ssh etc/nix etc/systemd; do
    mkdir -p "$root/$path"
    mount -t tmpfs -o mode=755 tmpfs "$root/$path"
  done
  chmod 1777 "$root/var/tmp"
  chmod 700 "$root/root"
  mount -o "remount,size=$(<"$folder/nix-size")" "$root/nix"

  # What needs a device manager, a console or disks of one's own would only wait and fail.
  for path in sysinit.target.wants basic.target.wants sockets.target.wants local-fs.target.wants; do
    rm -f "$root/lib/systemd/system/$path"/*
  done
  rm -f "$root/etc/fstab"
  cp -r "$folder/etc/." "$root/etc/"
  install -D -m 600 "$folder/authorized_keys" "$root/root/.ssh/authorized_keys"

  # Nix lies in a cache folder of this computer, which the new /root would hide.
  local nix
  nix=$(<"$folder/nix-folder")
  mkdir -p "$root$nix"
  mount --bind "$nix" "$root$nix"
}

inside() {
  local root=$folder/root path
  for path in run tmp; do
    mkdir -p "$root/$path"
    mount -t tmpfs -o mode=755 tmpfs "$root/$path"
  done
  chmod 1777 "$root/tmp"
  # This computer's own is not the machine's.
  [[ $(<"$folder/network") != own ]] || ip link set lo up

  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount -t tmpfs -o mode=755 tmpfs "$root/dev"
  for path in null zero full random urandom tty; do
    : >"$root/dev/$path"
    mount --bind "/dev/$path" "$root/dev/$path"
  done
  mkdir "$root"/dev/{pts,shm}
  mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
  ln -s pts/ptmx "$root/dev/ptmx"
  ln -s /proc/self/fd "$root/dev/fd"
  mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
  umount -l "$root/sys/fs/cgroup"
  mount -t cgroup2 none "$root/sys/fs/cgroup"
  mount -o remount,bind,ro "$root/sys"
  hostname bench

  cd "$root"
  mkdir -p mnt
  pivot_root . mnt
  # Where bash has found a command so far may be a folder that this root does not have.
  hash -r
  umount -l /mnt
  # "container" tells systemd that it has neither hardware nor kernel to set up.
  exec env -i container=bench PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --unit=bench.target --show-status=no --log-target=journal
}

if [[ $stage == outside && -z ${MACHINE_UNSHARED:-} ]]; then
  # A mount namespace of its own for the first stage too: its mounts vanish with it.
  MACHINE_UNSHARED=1 exec unshare --mount --propagation private bash "$0" "$folder"
fi
"$stage"
