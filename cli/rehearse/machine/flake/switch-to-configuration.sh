#!/bin/bash
# A stub of NixOS's switch-to-configuration: same actions, lock, order, words and exit codes; what it activates is the
# behaviour that the system is named after, and the units in its etc/systemd/system. What was compared with the real one,
# and with which version: ../doubles.md.
#   exit 1: could not start or boot loader failed; 2: activation script failed; 3: systemd reload failed;
#   exit 4: active, but something failed; 100: another interface of init, nothing was activated
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

# For the tests: a place to be killed or to be without power at. Held where /run/bench/hold names the action.
if [[ $(cat /run/bench/hold 2>/dev/null) == "$action" ]]; then
  : >/run/bench/held
  sleep 3600 9>&-
fi

if [[ $action == dry-activate ]]; then
  exit 0
fi

if [[ $action == switch || $action == boot ]]; then
  # The boot loader boots the profile's generation that is current now.
  if [[ $behaviour == bootloaderFails ]] || ! readlink -f /nix/var/nix/profiles/system >/boot/loader/new ||
    ! mv /boot/loader/new /boot/loader/default; then
    echo "Failed to install bootloader" >&2
    exit 1
  fi
fi
if [[ $action == boot ]]; then
  exit 0
fi

if [[ -e /run/current-system ]] &&
  [[ $(cat /run/current-system/init-interface-version) != "$(cat "$system/init-interface-version")" ]]; then
  printf '%s\n' "Warning: the new NixOS configuration has an ‘init’ that is" \
    "incompatible with the current configuration.  The new configuration" \
    "won't take effect until you reboot the system." >&2
  exit 100
fi

status=0
units=/run/systemd/system

# The units of the system: those that are gone or differ are stopped first.
start=()
for file in "$units"/bench-*.service; do
  [[ -e $file ]] || continue
  name=${file##*/}
  cmp -s "$file" "$system/etc/systemd/system/$name" || systemctl stop "$name"
done

echo "activating the configuration..." >&2
case $behaviour in
activationHangs) sleep 3600 9>&- ;;
slowActivation) sleep 4 9>&- ;;
esac

# The real activation script goes on after a part of it failed, and makes the system the current one all the same.
if [[ $behaviour == activationFails ]]; then
  echo "Activation script snippet 'bench' failed (1)" >&2
  status=2
fi
ln -sfn "$system" /run/current-system
rm -f "$units"/bench-*.service
mkdir -p "$units"
for file in "$system"/etc/systemd/system/bench-*.service; do
  [[ -e $file ]] || continue
  cp --no-preserve=mode "$file" "$units/"
  start+=("${file##*/}")
done
# The way in.
sshd=/etc/ssh/bench.conf
[[ ! -e $sshd ]] || rm "$sshd"
[[ ! -e $system/etc/ssh/bench.conf ]] || cp "$system/etc/ssh/bench.conf" "$sshd"
if [[ -e /run/bench/own-network ]]; then
  # Never where the network is this computer's.
  nft delete table inet bench 2>/dev/null
  [[ ! -e $system/etc/bench.nft ]] || nft --file "$system/etc/bench.nft"
fi

# Forgets what had failed before, whatever the new system has to do with it.
systemctl reset-failed
systemctl daemon-reload || exit 3

# Since 2025 each logged-in user is activated too.
if [[ $behaviour == userActivationFails ]]; then
  printf '%s\n' "reloading user units for root..." "warning: user activation for root failed" >&2
  status=4
fi

case $behaviour in
cutsOffSsh)
  # Server and sessions, as a firewall that is closed would.
  systemctl kill --signal=KILL sshd.service
  systemctl stop sshd.service
  ;;
sshdOff) systemctl stop sshd.service ;;
*)
  # One that has just been started would die of the signal, as it does not listen to it yet.
  if systemctl is-active --quiet sshd.service; then
    systemctl kill --kill-who=main --signal=HUP sshd.service
  else
    systemctl start sshd.service
  fi
  ;;
esac

for name in "${start[@]}"; do
  systemctl start "$name" || {
    echo "Failed to start $name" >&2
    status=4
  }
done

# All of the machine's that have failed, and those that died and wait to be started again.
failed=$(systemctl list-units --state=failed --plain --no-legend --no-pager | cut -d ' ' -f 1)
for name in $(systemctl list-units --type=service --state=auto-restart --plain --no-legend --no-pager | cut -d ' ' -f 1); do
  [[ $(systemctl show --property=ExecMainStatus --value "$name") == 0 ]] || failed+=" $name"
done
if [[ -n $failed ]]; then
  # shellcheck disable=SC2086 # names of units
  printf '%s\n' $failed | sort -f | paste -sd , | sed 's/,/, /g; s/^/warning: the following units failed: /' >&2
  # shellcheck disable=SC2086
  systemctl status --no-pager --full $failed >&2
  status=4
fi
exit "$status"
