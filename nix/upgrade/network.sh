# shellcheck shell=bash
# Is the network still there? A repository that cannot be reached is nobody's fault here, unless this machine has lost its own
# way out: no default route where there was one, or no names where the resolver's settings are others than before.

record_network() {
  printf 'route %s\nnames %s\nresolver %s\n' "$(has_route)" "$(finds_names)" "$(resolver)"
}

# What has been lost since, one line each; exits with 1 if there is something. Usage: lost_network RECORD-FILE
lost_network() {
  local problems
  problems=$(network_problems "$1")
  # An address may be renewed at this very moment.
  if [[ -n $problems ]]; then
    sleep 5
    problems=$(network_problems "$1")
  fi
  [[ -n $problems ]] || return 0
  printf '%s\n' "$problems"
  return 1
}

network_problems() { # RECORD-FILE
  if grep -qxF "route yes" "$1" 2>/dev/null && [[ $(has_route) == no ]]; then
    echo "the machine has no default route any more"
  fi
  # The servers of names may be down, too; then the settings are as they were.
  if grep -qxF "names yes" "$1" 2>/dev/null && [[ $(finds_names) == no ]] && ! grep -qxF "resolver $(resolver)" "$1"; then
    echo "names such as $(repository_host) are not found any more, and /etc/resolv.conf is another than before"
  fi
}

has_route() {
  if grep -qE $'^[^\t]+\t0{8}\t[^\t]+\t[^\t]+\t[^\t]+\t[^\t]+\t[^\t]+\t0{8}\t' /proc/net/route 2>/dev/null ||
    grep -E '^0{32} 00 ' /proc/net/ipv6_route 2>/dev/null | grep -qv ' lo$'; then
    echo yes
  else
    echo no
  fi
}

# Yes, no, or unknown.
finds_names() {
  local getent
  getent=$(PATH=$PATH:/run/current-system/sw/bin command -v getent) || {
    echo unknown
    return
  }
  if timeout 20 "$getent" ahosts "$(repository_host)" >/dev/null 2>&1; then echo yes; else echo no; fi
}

resolver() {
  { grep -vE '^[[:space:]]*([#;]|$)' /etc/resolv.conf 2>/dev/null || true; } | sha256sum
}

repository_host() {
  sed -E 's|^[^:]*://([^@/]*@)?([^:/]*).*|\2|' <<<"$UPGRADE_REMOTE"
}
