#!/usr/bin/env bash
# Whether CI has released a system, for deployments to a machine that installs nothing else: exits with 0, or says why not.
# Usage: nixos-upgrade-released SYSTEM

# shellcheck source=/dev/null
source "$UPGRADE_COMMON"
# shellcheck source=/dev/null
source "$UPGRADE_REPOSITORY"

trap forget_releases EXIT
status=0
newest_release "$(read_json "$STATE_FILE" | jq -c '.release // {}')" || status=$?
case $status in
0)
  if [[ $(record .system) == "$1" ]] && (($(record .validUntil) > NOW)); then exit 0; fi
  log "CI's newest release, number $(record .number) of revision $(short "$(record .revision)"), is $(record .system), valid until $(timestamp "$(record .validUntil)")."
  ;;
1) log "CI has released nothing yet." ;;
*) log "$(jq -r .message <<<"$TROUBLE")" ;;
esac
exit 1
