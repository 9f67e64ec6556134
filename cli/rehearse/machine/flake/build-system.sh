# Builds a stub system into $out: the files of a NixOS system that installing one needs. Run by Nix with /bin/sh.
# shellcheck shell=sh disable=SC2154 # the variables are those of the derivation

case $behaviour in
buildError)
  echo "the bench's build error" >&2
  exit 1
  ;;
slowBuild)
  for second in 1 2 3 4; do
    echo "building, second $second" >&2
    sleep 1
  done
  ;;
silentBuild)
  echo "the bench's last words" >&2
  while :; do sleep 1; done
  ;;
esac

mkdir -p "$out/bin" "$out/sw/bin"
echo "26.05.bench" >"$out/nixos-version"
printf '%s' "$nonce" >"$out/nonce"
printf '#!/bin/sh\nexec /lib/systemd/systemd "$@"\n' >"$out/init"
sed -e "s|@system@|$out|g" -e "s|@behaviour@|$behaviour|g" "$switchToConfiguration" >"$out/bin/switch-to-configuration"
chmod +x "$out/init" "$out/bin/switch-to-configuration"
case $behaviour in
otherInit) echo 3 >"$out/init-interface-version" ;;
*) echo 2 >"$out/init-interface-version" ;;
esac
# Another kernel is only another target of this link.
case $behaviour in
newKernel) ln -s /usr/bin/false "$out/kernel" ;;
*) ln -s /usr/bin/true "$out/kernel" ;;
esac

# A unit of the system, from standard input.
unit() {
  mkdir -p "$out/etc/systemd/system"
  cat >"$out/etc/systemd/system/bench-$1.service"
}
case $behaviour in
failedUnits | alsoBroken) printf '[Service]\nType=oneshot\nExecStart=/bin/false\n' | unit broken ;;
otherwiseBroken) printf '[Service]\nType=oneshot\nExecStart=/bin/sh -c "exit 3"\n' | unit broken ;;
dies) printf '[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=5\n' | unit dies ;;
diesSoon)
  printf '[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sleep 0.5\nRestart=always\n' | unit dies
  ;;
diesBefore)
  printf '[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStartPre=/bin/false\nExecStart=/bin/sleep 1d\nRestart=on-failure\nRestartSec=2\n' |
    unit dies
  ;;
diesSlowly) printf '[Service]\nExecStart=/bin/false\nExecStopPost=/bin/sleep 20\nRestart=always\n' | unit dies ;;
brokenScript | sameBrokenScript)
  printf '#!/bin/sh\nexit 1\n' >"$out/bin/fails"
  printf '[Service]\nType=oneshot\nExecStart=/bin/sh %s\n' "$out/bin/fails" | unit broken
  ;;
otherBrokenScript)
  printf '#!/bin/sh\nexit 3\n' >"$out/bin/fails"
  printf '[Service]\nType=oneshot\nExecStart=/bin/sh %s\n' "$out/bin/fails" | unit broken
  ;;
serves | servesNot)
  case $behaviour in
  serves) cp /bin/sleep "$out/bin/serve" ;;
  servesNot) cp /bin/false "$out/bin/serve" ;;
  esac
  printf '[Service]\nExecStartPre=/bin/sh -c "/bin/test -e /run/bench/once || { : >/run/bench/once; exit 1; }"\nExecStart=%s 1d\nRestart=on-failure\n' \
    "$out/bin/serve" | unit serves
  ;;
diesOnce)
  printf '[Service]\nExecStartPre=/bin/sh -c "/bin/test -e /run/bench/once || { : >/run/bench/once; exit 1; }"\nExecStart=/bin/sleep 1d\nRestart=on-failure\n' |
    unit once
  ;;
esac

# How root gets in.
mkdir -p "$out/etc/ssh"
case $behaviour in
rootLoginOff) echo "PermitRootLogin no" >"$out/etc/ssh/bench.conf" ;;
otherKeys) echo "AuthorizedKeysFile /etc/ssh/nobody" >"$out/etc/ssh/bench.conf" ;;
firewallShuts) echo 'table inet bench { chain input { type filter hook input priority 0; policy drop; iif lo accept; }; }' >"$out/etc/bench.nft" ;;
firewallOpens) echo 'table inet bench { chain input { type filter hook input priority 0; policy drop; iif lo accept; tcp dport { 80, 1000-65000 } accept; }; }' >"$out/etc/bench.nft" ;;
esac

# What is on PATH of a NixOS machine without further packages, and no more: a deployment that used python or jq
# would work on this computer and fail there.
for tool in \
  awk basename bash cat chgrp chmod chown comm cp cut date dd df diff dirname du echo env expr false find flock getent \
  grep head hostname id install journalctl kill less ln ls mkdir mkfifo mktemp more mount mv nohup nproc od paste pgrep \
  pkill printenv printf ps pwd readlink realpath rm rmdir sed seq setsid sh sha256sum shutdown sleep sort split ss ssh \
  ssh-keygen sshd stat stdbuf su sync systemctl systemd-analyze systemd-cat systemd-run tail tar tee test timeout touch \
  tr true tty umount uname uniq unshare uptime wait wc which whoami xargs yes zcat; do
  if path=$(command -v "$tool"); then
    case $path in
    /*) ln -s "$path" "$out/sw/bin/$tool" ;;
    esac
  fi
done
# Shell built-ins have a file too.
for tool in echo env false kill printf pwd test true; do
  [ ! -e "/usr/bin/$tool" ] || ln -sf "/usr/bin/$tool" "$out/sw/bin/$tool"
done
# Nix, and the SSH server that is not on an ordinary PATH.
for tool in nix nix-build nix-channel nix-collect-garbage nix-copy-closure nix-daemon nix-env nix-instantiate nix-store; do
  ln -s "/run/bench/nix/$tool" "$out/sw/bin/$tool"
done

# What nix/upgrade/remote.sh says of a repository that cannot be read.
remote() {
  mkdir -p "$out/etc/nixos-upgrade"
  printf '#!/bin/sh\necho '"'"'{"state":"failing","kind":"%s","message":"%s","notBefore":null}'"'"'\n' "$1" "$2" \
    >"$out/etc/nixos-upgrade/remote"
  chmod +x "$out/etc/nixos-upgrade/remote"
}
case $behaviour in
tokenRefused) remote token "GitHub refuses the token: it has expired or was revoked." ;;
tokenMissing) remote no-token "There is no token." ;;
esac

# As much as Nix mentions when it compares two systems.
if [ "$behaviour" = second ]; then
  dd if=/dev/zero of="$out/more" bs=1k count=64 2>/dev/null
fi

# Larger than the small store of the test that runs out of space.
if [ "$behaviour" = large ]; then
  dd if=/dev/zero of="$out/large" bs=1M count=96 2>/dev/null
fi
