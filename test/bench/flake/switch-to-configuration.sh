#!/bin/bash
# A stub of NixOS's switch-to-configuration: same actions, lock, order and exit codes; what it activates is the
# behaviour that the system is named after.
#   exit 1: could not start or boot loader failed; 2: activation script failed; 3: systemd reload failed;
#   exit 4: active, but some units failed
set -u
export PATH=/usr/bin:/usr/sbin:/bin:/sbin

system=@system@
behaviour=@behaviour@
action=${1:-}

case $action in
check | switch | boot | test | dry-activate) ;;
*)
  echo "Usage: $0 [check|switch|boot|test|dry-activate]" >&2
  exit 1
  ;;
esac

mkdir -p /run/nixos /var/lib/bench /boot/loader
exec 9>/run/nixos/switch-to-configuration.lock
if ! flock -n 9; then
  echo "Could not acquire lock" >&2
  exit 1
fi

# As NixOS 26.05 does for a release that brings another implementation of D-Bus: only a restart leads there.
if [[ $behaviour == needsRestart && $action != boot && $action != dry-activate ]]; then
  printf '%s\n' "Checking switch inhibitors..." "There are changes to critical components of the system:" "" \
    "dbus-implementation : dbus -> broker" "" "Switching into this system is not recommended." \
    "You probably want to run 'nixos-rebuild boot' and reboot your system instead." "" \
    "Pre-switch check 'switchInhibitors' failed" "Pre-switch checks failed" >&2
  exit 1
elif [[ $action == check ]]; then
  exit 0
fi

# For the tests: what was activated, in order.
echo "$action $system" >>/var/lib/bench/activations

if [[ $action == dry-activate ]]; then
  exit 0
fi

if [[ $action == switch || $action == boot ]]; then
  if [[ $behaviour == bootloaderFails ]]; then
    echo "Failed to install bootloader" >&2
    exit 1
  fi
  # The boot loader boots the profile's generation that is current now.
  readlink -f /nix/var/nix/profiles/system >/boot/loader/default
fi
if [[ $action == boot ]]; then
  exit 0
fi

echo "activating the configuration..." >&2
case $behaviour in
activationHangs) sleep 3600 9>&- ;;
slowActivation) sleep 4 9>&- ;;
esac

# The real activation script goes on after a part of it failed, and makes the system the current one all the same.
status=0
if [[ $behaviour == activationFails ]]; then
  echo "Activation script snippet 'bench' failed (1)" >&2
  status=2
fi
ln -sfn "$system" /run/current-system

# Units: what this system has is made so, whatever the one before left behind.
broken=/run/systemd/system/bench-broken.service
if [[ $behaviour == failedUnits ]]; then
  printf '[Service]\nType=oneshot\nExecStart=/bin/false\n' >"$broken"
elif [[ -e $broken ]]; then
  rm -f "$broken"
  systemctl reset-failed bench-broken.service 2>/dev/null
fi
systemctl daemon-reload || exit 3

if [[ $behaviour == cutsOffSsh ]]; then
  # Server and sessions, as a firewall that is closed would.
  systemctl kill --signal=KILL sshd.service
  systemctl stop sshd.service
else
  systemctl start sshd.service
fi

if [[ $behaviour == failedUnits ]] && ! systemctl start bench-broken.service; then
  echo "warning: the following units failed: bench-broken.service" >&2
  systemctl status --no-pager --full bench-broken.service >&2
  status=4
fi
exit "$status"
