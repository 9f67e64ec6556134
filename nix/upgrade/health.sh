#!/usr/bin/env bash
# Does the system that was just activated do its work? Waits for UPGRADE_HEALTH_SECONDS, as much may fail and recover
# while it starts; then prints what does not work, one line each, and exits with 1.
# Usage: nixos-upgrade-health [PREVIOUS], the system before; names of the units and checks that were in trouble then on
# standard input

# shellcheck source=/dev/null
source "$UPGRADE_COMMON"

previous=${1:-}
before=$(cat)

# What is new of what is in trouble, from "fault NAME WHAT" and "known NAME WHAT".
new_trouble() {
  local verdict name what
  while read -r verdict name what; do
    name=${name/#check:/the check }
    if [[ $verdict == known ]]; then
      log "$name $what, as before the switch."
    else
      echo "$name $what"
    fi
  done
}

find_problems() {
  local unit banner answer

  new_trouble < <(judge_units "$(just_now "$UPGRADE_HEALTH_SECONDS")" "${previous:-$(system_now)}" "$(system_now)" <<<"$before")

  for unit in $UPGRADE_HEALTH_UNITS; do
    systemctl is-active --quiet "$unit" || echo "$unit is not active"
  done

  if [[ -n $UPGRADE_HEALTH_SSH_PORT ]]; then
    # shellcheck disable=SC2016 # for the inner shell
    banner=$(timeout 5 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" && read -r line <&3 && echo "$line"' - "$UPGRADE_HEALTH_SSH_PORT" 2>/dev/null || true)
    [[ $banner == SSH-2.0-* ]] || echo "no SSH server answers on port $UPGRADE_HEALTH_SSH_PORT"
  fi

  if [[ -n $UPGRADE_HEALTH_URL ]]; then
    curl --silent --fail --max-time 5 "$UPGRADE_HEALTH_URL" | jq --exit-status 'type == "object"' >/dev/null 2>&1 ||
      echo "$UPGRADE_HEALTH_URL does not answer"
  fi

  answer=$(nixos-upgrade-remote)
  # The network's troubles, GitHub's and its limits are no fault of the new system.
  if [[ $(jq -r '"\(.state) \(.fault)"' <<<"$answer") == "failing machine" ]] && ! fails_before; then
    echo "the repository cannot be read: $(jq -r .message <<<"$answer")"
  fi
}

# Whether the system before is refused too, with what it could read with: as where its deploy key was removed just now.
# It runs on what this system made of the machine. So what it fails for here, or with another key or token than it had,
# says nothing.
fails_before() {
  [[ -x ${UPGRADE_REMOTE_BEFORE:-} && -s ${UPGRADE_READING_BEFORE:-} ]] || return 1
  case $("$UPGRADE_REMOTE_BEFORE" | jq -r 'if .state == "failing" then .kind else "read" end') in
  read | no-token | identity | tls | disk | missing | killed) return 1 ;;
  esac
  sha256sum --check --status "$UPGRADE_READING_BEFORE" 2>/dev/null
}

sleep "$UPGRADE_HEALTH_SECONDS"
problems=$(find_problems)
# A request that was lost is no verdict on a system.
if [[ -n $problems ]]; then
  sleep 2
  problems=$(find_problems)
fi
# These ask twice by themselves.
problems+=$(
  [[ -z $problems ]] || echo
  new_trouble < <(judge "${previous:-$(system_now)}" "$(system_now)" "$before" < <(checks_in_trouble "$(system_now)"))
)
[[ -n $problems ]] || exit 0
printf '%s\n' "$problems"
exit 1
