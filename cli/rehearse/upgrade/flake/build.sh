# Builds the stub system into $out, with what the upgrade looks at in a real one. Run by Nix with /bin/sh.
# shellcheck shell=sh disable=SC2154 # the variables are those of the derivation

# shellcheck source=/dev/null
. "$buildSystem"

mkdir -p "$out/etc/nixos-upgrade"
case $behaviour in
switchesOff) ;;
saysOff) : >"$out/etc/nixos-upgrade/off" ;;
*)
  mkdir -p "$out/etc/systemd/system/timers.target.wants"
  : >"$out/etc/systemd/system/timers.target.wants/nixos-upgrade.timer"
  ;;
esac
if [ -s "$health" ]; then
  cp "$health" "$out/etc/nixos-upgrade/health"
  chmod +x "$out/etc/nixos-upgrade/health"
fi
for check in "$checks"/*; do
  [ -f "$check" ] || continue
  mkdir -p "$out/etc/nixos-upgrade/checks.d"
  cp "$check" "$out/etc/nixos-upgrade/checks.d/"
  # It brings its tools along, whoever calls it.
  # shellcheck disable=SC2016 # for the shell that runs it
  printf '#!/bin/sh\nPATH=$PATH:/usr/bin:/bin exec /etc/upgrade/bin/nixos-upgrade-checks "$@"\n' >"$out/etc/nixos-upgrade/checks"
  chmod +x "$out/etc/nixos-upgrade/checks"
done
if [ -s "$lockout" ]; then
  : >"$out/etc/nixos-upgrade/allow-lockout"
fi
