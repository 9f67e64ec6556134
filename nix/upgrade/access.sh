# shellcheck shell=bash
# Can a deployment still log in? Recorded before a switch, compared after it, by the system that makes the switch: the
# new one may no longer know that anybody is to get in. What could not be done before is not asked for afterwards.

# The settings of sshd that decide who gets in.
SSHD_SETTINGS='permitrootlogin|pubkeyauthentication|authorizedkeysfile|authorizedkeyscommand|authorizedkeyscommanduser|authorizedprincipalsfile|trustedusercakeys|authenticationmethods|allowusers|allowgroups|denyusers|denygroups|pubkeyacceptedalgorithms'

# How a deployment gets in, one fact a line; nothing where there is no SSH server to get in by.
record_access() {
  local settings port address
  # The tools of the running system: its own sshd, and the firewall that it has.
  PATH=$PATH:/run/current-system/sw/bin
  settings=$(sshd_settings)
  port=$(sed -n 's/^port //p' <<<"$settings" | head -n 1)
  [[ -n $port ]] || return 0
  address=$(listen_address "$settings" "$port")
  [[ -n $(banner "$address" "$port") ]] || return 0
  printf 'port %s\naddress %s\n' "$port" "$address"
  printf 'firewall %s\n' "$(from_outside "$port")"
  printf 'login %s\n' "$(log_in "$address" "$port")"
  grep -E "^($SSHD_SETTINGS) " <<<"$settings" | sed 's/^/sshd /' || true
  root_keys "$settings" | sed 's/^/key /'
  rules_for "$port" | sed 's/^/rule /'
  printf 'filter %s\n' "$(filters)"
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
  local record=$1 port address settings line
  port=$(recorded port)
  address=$(recorded address)
  settings=$(sshd_settings)
  if [[ -z $(banner "$address" "$port") ]]; then
    echo "no SSH server answers on port $port"
    return
  fi
  if [[ $(recorded login) == yes ]]; then
    [[ $(log_in "$address" "$port") == yes ]] || echo "root can no longer log in with the machine's key"
  elif [[ $(recorded sshd) != *'permitrootlogin no'* ]]; then
    # Nobody here has the key of a deployment, so what decides on it must stay as it was. Where root could not log in at
    # all, there is nothing to lose.
    while read -r line; do
      grep -qxF -e "$line" <<<"$settings" || echo "the SSH server's settings for root differ: \"$line\" is gone"
    done < <(recorded sshd)
    while read -r line; do
      [[ $'\n'$(root_keys "$settings")$'\n' == *$'\n'"$line"$'\n'* ]] || echo "root's authorized key ${line:0:32}… is gone"
    done < <(recorded key)
  fi
  case $(recorded firewall) in
  open) [[ $(from_outside "$port") == open ]] || echo "the firewall shuts port $port" ;;
  *)
    # Shut on purpose, or for some only: what let somebody in must still do so.
    while read -r line; do
      [[ $'\n'$(rules_for "$port")$'\n' == *$'\n'"$line"$'\n'* ]] || echo "the firewall no longer has the rule \"$line\""
    done < <(recorded rule)
    [[ $(recorded filter) == yes || $(filters) == no || -n $(rules_for "$port") ]] ||
      echo "a firewall came that does not open port $port"
    ;;
  esac
}

recorded() { # FACT, of `record`
  sed -n "s/^$1 //p" <<<"$record"
}

# What the SSH server would do with root from somewhere in the internet.
sshd_settings() {
  "$(command -v sshd)" -T -C user=root,host=deployment.invalid,addr=192.0.2.1,laddr=192.0.2.2,lport=22 2>/dev/null || true
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

# Logs in as a deployment would, which shows nothing where the machine has another key than it. Usage: log_in ADDRESS PORT
log_in() {
  if timeout 20 ssh -F none -i "$UPGRADE_MACHINE_KEY" -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes \
    -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=none -o LogLevel=ERROR \
    -o ConnectTimeout=5 -p "$2" "root@$1" true </dev/null >/dev/null 2>&1; then
    echo yes
  else
    echo no
  fi
}

# Whether the port answers to somebody who is not this machine: its own addresses go over loopback, past the firewall. So
# it is asked from a network namespace behind a virtual cable: open, closed, or unknown where there can be none.
from_outside() { # PORT
  local space=nixos-upgrade-$$ cable=nixup$$ net answer=unknown
  # Reserved for tests of networks. Two addresses of it for each process.
  net=198.18.$(($$ / 64 % 256)).$(($$ % 64 * 4))
  if {
    ip netns add "$space" &&
      ip link add "$cable" type veth peer name outside netns "$space" &&
      ip address add "${net%.*}.$((${net##*.} + 1))/30" dev "$cable" && ip link set "$cable" up &&
      ip -n "$space" address add "${net%.*}.$((${net##*.} + 2))/30" dev outside && ip -n "$space" link set outside up
  } 2>/dev/null; then
    answer=closed
    [[ -z $(banner "${net%.*}.$((${net##*.} + 1))" "$1" ip netns exec "$space") ]] || answer=open
  fi
  { ip link delete "$cable" && ip netns delete "$space"; } >/dev/null 2>&1 || ip netns delete "$space" >/dev/null 2>&1 || true
  echo "$answer"
}

# Root's keys, type and key without options and comment. Usage: root_keys SETTINGS
root_keys() {
  local home file
  home=$(getent passwd root | cut -d : -f 6)
  # shellcheck disable=SC2013 # file names of sshd's, which it splits at spaces too
  for file in $(sed -n 's/^authorizedkeysfile //p' <<<"$1"); do
    file=${file//%h/$home} file=${file//%u/root}
    [[ $file == /* ]] || file=$home/$file
    grep -oE '(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/]+=*' "$file" 2>/dev/null || true
  done | sort -u
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
