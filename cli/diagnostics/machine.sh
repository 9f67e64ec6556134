#!/usr/bin/env bash
# Runs on the machine as root, sent over ssh: looks at what a machine that follows its repository must have, and says it
# as lines "name<tab>value". Changes nothing; the one thing that it starts is the probe that runs every five minutes
# anyway, because only a new request shows whether the repository can be read now.
export LC_ALL=C

say() { # NAME VALUE
  printf '%s\t%s\n' "$1" "${2//[$'\t\n']/ }"
}

unit() { # UNIT PROPERTY
  systemctl show --property "$2" --value "$1" 2>/dev/null
}

key=/var/lib/id_ed25519
say key-mode "$(stat -c '%a %U' "$key" 2>/dev/null)"
say key-public "$(ssh-keygen -y -f "$key" </dev/null 2>/dev/null)"

say off "$([[ -e /etc/nixos-upgrade/off ]] && echo yes)"
say timer "$(unit nixos-upgrade.timer ActiveState)"
say upgrade-result "$(unit nixos-upgrade.service Result)"
say upgrade-state "$(unit nixos-upgrade.service ActiveState)"

say probe-unit "$(unit nixos-upgrade-freshness.service LoadState)"
say asked "$(date +%s)"
timeout 60 systemctl start nixos-upgrade-freshness.service >/dev/null 2>&1
say probe "$(cat /var/lib/nixos-upgrade/probe.json 2>/dev/null)"
say state "$(cat /var/lib/nixos-upgrade/state.json 2>/dev/null)"

say system "$(readlink -f /run/current-system)"
say now "$(date +%s)"
# Names only.
secrets=
for file in /run/secrets/*; do
  [[ ! -e $file ]] || secrets+="${file##*/} "
done
say secrets "$secrets"
say failed-units "$(systemctl list-units --failed --plain --no-legend 2>/dev/null | awk '{print $1}' | tr '\n' ' ')"
say disk "$(df --output=pcent /nix/store 2>/dev/null | tail -n 1 | tr -d ' %')"
