# shellcheck shell=bash
# Can a deployment still log in? Recorded before a switch, compared after it, by the system that makes the switch: the
# new one may no longer know that anybody is to get in. What could not be done before is not asked for afterwards.

# The settings of sshd that decide who gets in, and to what.
SSHD_SETTINGS='permitrootlogin|pubkeyauthentication|authorizedkeysfile|authorizedkeyscommand|authorizedkeyscommanduser|authorizedprincipalsfile|trustedusercakeys|authenticationmethods|pubkeyacceptedalgorithms|forcecommand|chrootdirectory'

# How a deployment gets in, one fact a line; nothing where there is no SSH server to get in by.
record_access() {
  local settings port doors
  # The tools of the running system: its own sshd, and the firewall that it has.
  PATH=$PATH:/run/current-system/sw/bin
  settings=$(sshd_settings)
  # By which of its ports a deployment comes is not known here.
  doors=$(ports "$settings" | while read -r port; do door "$settings" "$port"; done)
  [[ -n $doors ]] || return 0
  printf '%s\n' "$doors"
  first_door "$doors"
  grep -E "^($SSHD_SETTINGS) " <<<"$settings" | sed 's/^/sshd /' || true
  against_root "$settings" | sed 's/^/against /'
  root_keys "$settings" | sed 's/^/key /'
  printf 'shell %s\n' "$(shell_works)"
  while read -r _ port _; do
    host_keys "$settings" "$port" | sed "s/^/hostkey $port /"
    rules_for "$port" | sed 's/^/rule /'
  done <<<"$doors"
  printf 'filter %s\n' "$(filters)"
}

# A port with an answer: "door PORT ADDRESS LOGIN OUTSIDE OUTSIDE6", the last as by IPv6. Usage: door SETTINGS PORT
door() {
  local address outside6=unknown
  address=$(listen_address "$1" "$2")
  [[ -n $(banner "$address" "$2") ]] || return 0
  ! has_ipv6 || outside6=$(from_outside "$2" 6)
  printf 'door %s %s %s %s %s\n' "$2" "$address" "$(log_in "$address" "$2")" "$(from_outside "$2")" "$outside6"
}

# Whether somebody elsewhere could come by IPv6.
has_ipv6() {
  [[ -n $(ip -6 -oneline address show scope global 2>/dev/null) ]]
}

# In the words of older versions, one of which may go on from here.
first_door() { # DOORS
  local port address login outside
  read -r _ port address login outside _ <<<"$1"
  printf 'port %s\naddress %s\nlogin %s\nfirewall %s\n' "$port" "$address" "$login" "${outside/login/open}"
}

# What has been lost since, one line each; exits with 1 if there is something. Usage: lost_access SYSTEM RECORD-FILE
lost_access() {
  local record problems
  [[ ! -e $1/etc/nixos-upgrade/allow-lockout ]] || return 0
  record=$(cat "$2" 2>/dev/null) || return 0
  [[ -n $record ]] || return 0
  PATH=$PATH:/run/current-system/sw/bin
  problems=$(access_problems "$record")
  # A server that was restarted a moment ago.
  if [[ -n $problems ]]; then
    sleep 3
    problems=$(access_problems "$record")
  fi
  [[ -n $problems ]] || return 0
  printf '%s\n' "$problems"
  return 1
}

access_problems() { # RECORD
  local record=$1 settings port address login outside outside6 answered=false logged_in=no
  settings=$(sshd_settings)
  while read -r port address login outside outside6; do
    if [[ -z $(banner "$address" "$port") ]]; then
      echo "no SSH server answers on port $port"
      continue
    fi
    answered=true
    [[ $login == no ]] || logged_in=here
    door_problems "$port" "$address" "$login" "$outside" "$outside6"
  done < <(doors)
  # From outside is as a deployment does it; then settings and keys may be what they like.
  [[ $'\n'$(doors) != *' login'* ]] || logged_in=outside
  [[ $answered == true ]] || return 0
  # Where root could not log in at all, there is nothing to lose.
  [[ $logged_in == outside || $(recorded sshd) == *'permitrootlogin no'* ]] || settings_problems "$settings"
  [[ $logged_in != no || $(recorded sshd) == *'permitrootlogin no'* ]] || key_problems "$settings"
}

doors() {
  # An older version recorded one.
  recorded door | grep . || printf '%s %s %s %s\n' "$(recorded port)" "$(recorded address)" "$(recorded login)" "$(recorded firewall)"
}

# Usage: door_problems PORT ADDRESS LOGIN OUTSIDE OUTSIDE6, all but the first as it was
door_problems() {
  local port=$1 outside=$4 outside6=${5:-unknown} now line key keys rules
  case $outside6 in
  login | open)
    now=$(from_outside "$port" 6)
    [[ $now != closed ]] || echo "the firewall shuts port $port to IPv6, or the SSH server listens elsewhere"
    [[ $now != open || $outside6 == open ]] || echo "root can no longer log in with the machine's key on port $port by IPv6"
    ;;
  esac
  now=$(from_outside "$port")
  if [[ $outside == login && $now == open || $now != login && $3 == yes && $(log_in "$2" "$port") == no ]]; then
    echo "root can no longer log in with the machine's key on port $port"
  fi
  case $outside in
  login | open) [[ $now != closed ]] || echo "the firewall shuts port $port, or the SSH server listens elsewhere" ;;
  *)
    # Shut on purpose, or for some only: what let somebody in must still do so.
    rules=$(rules_for "$port")
    while read -r line; do
      [[ $line != *"dport $port"* ]] || has_line "$rules" "$line" || echo "the firewall no longer has the rule \"$line\""
    done < <(recorded rule)
    [[ $(recorded filter) == yes || $(filters) == no || -n $rules ]] ||
      echo "a firewall came that does not open port $port"
    ;;
  esac
  # Deployments have pinned it.
  keys=$(host_keys "$settings" "$port")
  while read -r key; do
    has_line "$keys" "$key" || echo "the SSH server on port $port no longer has the host key ${key:0:36}…"
  done < <(recorded "hostkey $port")
}

# What decides on a login that nobody here can try must stay as it was. Usage: settings_problems SETTINGS
settings_problems() {
  local line before
  while read -r line; do
    # A list, which an older version recorded as it was.
    [[ $line == allow* || $line == deny* ]] || has_line "$1" "$line" ||
      echo "the SSH server's settings for root differ: \"$line\" is gone"
  done < <(recorded sshd)
  before=$(recorded against)
  while read -r line; do
    has_line "$before" "$line" ||
      echo "the SSH server's settings for root differ: \"$line\" is new"
  done < <(against_root "$1")
}

# Usage: key_problems SETTINGS
key_problems() {
  local line keys
  keys=$(root_keys "$1")
  while read -r line; do
    has_line "$keys" "$line" || echo "root's authorized key \"${line:0:60}…\" is gone, or may do less"
  done < <(recorded key)
  [[ $(recorded shell) != yes || $(shell_works) == yes ]] || echo "root's shell runs no command any more"
}

has_line() { # TEXT LINE
  grep -qxF -e "$2" <<<"$1"
}

recorded() { # FACT, of `record`
  sed -n "s/^$1 //p" <<<"$record"
}

# What the SSH server would do with root from somewhere in the internet.
sshd_settings() {
  "$(command -v sshd)" -T -C user=root,host=deployment.invalid,addr=192.0.2.1,laddr=192.0.2.2,lport=22 2>/dev/null || true
}

# Usage: ports SETTINGS
ports() {
  sed -n 's/^port //p' <<<"$1" | sort -nu
}

# Its lists that keep root out, or let it in from some places only: names of root that are refused, and those that are
# accepted where root as such is not. Usage: against_root SETTINGS
against_root() {
  local list value name names accepted
  for list in users groups; do
    names=root
    [[ $list == users ]] || names=$(id -Gn root)
    accepted=
    while read -r value; do
      for name in $names; do
        # shellcheck disable=SC2053 # the server's patterns are those of the shell
        [[ $name != ${value%%@*} ]] || printf 'deny%s %s\n' "$list" "$value"
      done
    done < <(sed -n "s/^deny$list //p" <<<"$1")
    while read -r value; do
      for name in $names; do
        # shellcheck disable=SC2053
        [[ $name != ${value%@\*} ]] || accepted=true
      done
    done < <(sed -n "s/^allow$list //p" <<<"$1")
    [[ -n $accepted ]] || sed -n "/^allow$list /p" <<<"$1"
  done
}

# An address at which the machine itself reaches the server. Usage: listen_address SETTINGS PORT
listen_address() {
  local address
  address=$(sed -nE "s/^listenaddress \[?([0-9a-fA-F.:]+)\]?:$2\$/\1/p" <<<"$1" | head -n 1)
  case $address in
  '' | 0.0.0.0) echo 127.0.0.1 ;;
  ::) echo ::1 ;;
  *) echo "$address" ;;
  esac
}

# Usage: banner ADDRESS PORT [COMMAND that it runs in…]
banner() {
  local address=$1 port=$2
  shift 2
  # shellcheck disable=SC2016 # for the inner shell
  "$@" timeout 5 bash -c 'exec 3<>"/dev/tcp/$1/$2" && read -r line <&3 && [[ $line == SSH-2.0-* ]] && echo "$line"' - \
    "$address" "$port" 2>/dev/null || true
}

# Logs in as a deployment would, which shows nothing where the machine has another key than it.
# Usage: log_in ADDRESS PORT [COMMAND that it runs in…]
log_in() {
  local address=$1 port=$2 answer
  shift 2
  # A command that is forced on the key runs in place of this one.
  answer=$("$@" timeout 20 ssh -F none -i "$UPGRADE_MACHINE_KEY" -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes \
    -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=none -o LogLevel=ERROR \
    -o ConnectTimeout=5 -p "$port" "root@$address" echo nixos-upgrade </dev/null 2>/dev/null | tr -d '\0') || true
  if grep -qx nixos-upgrade <<<"$answer"; then echo yes; else echo no; fi
}

# The keys by which the server shows who it is: the one that machines of this project are made with, or all of an adopted
# one. Usage: host_keys SETTINGS PORT
host_keys() {
  local address
  address=$(listen_address "$1" "$2")
  {
    ssh-keyscan -T 5 -t ed25519 -p "$2" "$address" | grep -v '^#' || ssh-keyscan -T 5 -p "$2" "$address"
  } 2>/dev/null | sed -nE 's/^[^#][^ ]* ([^ ]+ [^ ]+)$/\1/p' | sort -u || true
}

# What the port says to somebody who is not this machine, whose own addresses go over loopback, past the firewall, and are
# trusted more by some. So it is asked from a network namespace behind a virtual cable: login (with the machine's key),
# open, closed, or unknown where there can be none.
from_outside() { # PORT, 6 for IPv6
  local space=nixos-upgrade-$$ cable=nixup$$ net here there answer=unknown left
  # What one that was killed has left, and with it its cable.
  for left in /run/netns/nixos-upgrade-*; do ip netns delete "${left##*/}" 2>/dev/null || true; done
  # Reserved for tests of networks, and local to a site. Addresses of its own for each process.
  net=198.18.$(($$ / 64 % 256))
  here=$net.$(($$ % 64 * 4 + 1))/30 there=$net.$(($$ % 64 * 4 + 2))/30
  if [[ ${2-} == 6 ]]; then
    net=fd6e:6978:6f73:$(printf '%x' $(($$ % 65536)))
    here=$net::1/64 there=$net::2/64
  fi
  if {
    ip netns add "$space" &&
      ip link add "$cable" type veth peer name outside netns "$space" &&
      ip address add "$here" dev "$cable" nodad && ip link set "$cable" up &&
      ip -n "$space" address add "$there" dev outside nodad && ip -n "$space" link set outside up
  } 2>/dev/null; then
    answer=closed
    if [[ -n $(banner "${here%/*}" "$1" ip netns exec "$space") ]]; then
      answer=open
      [[ $(log_in "${here%/*}" "$1" ip netns exec "$space") == no ]] || answer=login
    fi
  fi
  { ip link delete "$cable" && ip netns delete "$space"; } >/dev/null 2>&1 || ip netns delete "$space" >/dev/null 2>&1 || true
  echo "$answer"
}

# Root's keys, with what each may do and without comments. Usage: root_keys SETTINGS
root_keys() {
  local home file
  home=$(getent passwd root | cut -d : -f 6)
  # shellcheck disable=SC2013 # file names of sshd's, which it splits at spaces too
  for file in $(sed -n 's/^authorizedkeysfile //p' <<<"$1"); do
    file=${file//%h/$home} file=${file//%u/root}
    [[ $file == /* ]] || file=$home/$file
    # What others may write it does not read.
    [[ -z $(find -L "$file" -maxdepth 0 -perm /022 2>/dev/null) ]] || continue
    sed -nE '/^[[:space:]]*#/d; s/^[[:space:]]*((.* )?(ssh|ecdsa|sk)-[a-z0-9@.-]+ +[A-Za-z0-9+/]+=*).*/\1/p' "$file" 2>/dev/null || true
  done | sort -u
}

# Whether root's shell runs what a deployment sends.
shell_works() {
  local shell
  shell=$(getent passwd root | cut -d : -f 7)
  if [[ $(timeout 10 "${shell:-/bin/sh}" -c 'echo works' </dev/null 2>/dev/null | tail -n 1) == works ]]; then echo yes; else echo no; fi
}

# All that filters packets here, of either kind.
ruleset() {
  {
    nft list ruleset || true
    iptables-save || true
    ip6tables-save || true
  } 2>/dev/null
}

# The rules that let somebody in by a port; of a set of ports only this one matters. Usage: rules_for PORT
rules_for() {
  ruleset | grep -iE "accept|-j " | grep -E "dport[^;]*[^0-9]$1([^0-9]|\$)" |
    sed -E "s/counter packets [0-9]+ bytes [0-9]+ ?//; s/\[[0-9]+:[0-9]+\] ?//; s/dports? (\{[^}]*\}|[0-9,]+)/dport $1/; s/^[[:space:]]+//" |
    sort -u || true
}

filters() {
  if ruleset | grep -qiE '\b(drop|reject)\b'; then echo yes; else echo no; fi
}
