#!/usr/bin/env bash
# Does the system that was just activated do its work? Prints what does not, one line each, and exits
# with 1 if that is still so after UPGRADE_HEALTH_SECONDS. Standard input: units that had failed
# before the switch and are not its fault.

# shellcheck source=/dev/null
source "$UPGRADE_COMMON"

failed_before=$(cat)

find_problems() {
  local unit banner answer

  while read -r unit; do
    # The upgrade's own units fail while it is behind, which is about to be over.
    [[ -z $unit || $unit == nixos-upgrade* || $unit == nixos-rebuild-switch-to-configuration* ]] ||
      grep -qxF -e "$unit" <<<"$failed_before" || echo "$unit has failed"
  done < <(failed_units)

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
  # The network's troubles, GitHub's and its limits are no fault of the new system; nor is what the system before cannot
  # read either, such as a repository whose deploy key was removed just now.
  if [[ $(jq -r '"\(.state) \(.fault)"' <<<"$answer") == "failing machine" ]] &&
    [[ ! -x ${UPGRADE_REMOTE_BEFORE:-} || $("$UPGRADE_REMOTE_BEFORE" | jq -r .state) != failing ]]; then
    echo "the repository cannot be read: $(jq -r .message <<<"$answer")"
  fi
}

deadline=$((NOW + UPGRADE_HEALTH_SECONDS))
while :; do
  problems=$(find_problems)
  [[ -n $problems ]] || exit 0
  (($(date +%s) < deadline)) || break
  sleep 2
done
printf '%s\n' "$problems"
exit 1
