#!/usr/bin/env bash
# shellcheck disable=SC2016 # names in single quotes are jq's
#
# One poll: asks for the branch's revision and, where it is another than the one that runs, installs
# it. What it leaves in state.json is described in docs/upgrade.md; status.sh shows it.
#
# An idle poll is one request. A revision is pinned before Nix sees it, so that a repository that
# cannot be read stops the poll instead of silently giving an old revision. A new system is activated
# first and becomes the one that boots only when it is healthy: a machine that dies in between
# starts with the last good one.

# shellcheck source=/dev/null
source "$UPGRADE_COMMON"
# shellcheck source=/dev/null
source "$UPGRADE_REPOSITORY"

state=
wanted=

set_state() { # JQ PROGRAM [JQ ARGUMENTS…]
  local program=$1
  shift
  # Not the poll's begin: a build may have taken an hour.
  state=$(jq -c --argjson now "$(date +%s)" "$@" "$program" <<<"$state")
  replace_file "$STATE_FILE" 600 <<<"$state"
}

get_state() { # JQ PATH; nothing where there is none
  jq -r "$1 // empty" <<<"$state"
}

enter_phase() {
  set_state '.phase = $phase' --arg phase "$1"
  nixos-upgrade-status || true
}

# The poll ends with an error that is not the revision's fault; the next poll tries again.
fail() { # KIND MESSAGE
  log "$2"
  set_state '.error = {
      kind: $kind, summary: $summary, message: $message, at: $now,
      since: (if .error.kind == $kind then .error.since else $now end)
    } | .phase = null' --arg kind "$1" --arg summary "$(public_summary "$1")" --arg message "$2"
  exit 1
}

# The revision itself does not work: not again until the branch moves or the time has passed.
fail_revision() { # KIND MESSAGE SYSTEM
  local retry=$(($(date +%s) + UPGRADE_RETRY_SECONDS))
  # A deployment's verdict stands until the branch moves.
  [[ $1 != rejected ]] || retry=null
  set_state '.failed = {revision: $revision, system: $system, kind: $kind, at: $now, retryAt: $retry, running: $running}' \
    --arg revision "$wanted" --arg system "${3:-}" --arg kind "$1" --argjson retry "$retry" --arg running "$(current_system)"
  fail "$1" "Revision $(short "$wanted"): $2"
}

# The system that runs is that of the branch.
succeed() { # SYSTEM
  set_state '.running = (if .running.system == $system and .running.revision == $revision then .running
        else {system: $system, revision: $revision, since: $now} end)
    | .evaluated = {system: $system, revision: $revision}
    | .installed = $revision | .success = $now | .error = null | .failed = null | .phase = null | .waiting = false' \
    --arg system "$1" --arg revision "$wanted"
}

held() {
  local until
  until=$(cat "$UPGRADE_HOLD" 2>/dev/null) || return 1
  # The lease ends by itself, and one further ahead than a day is no lease but a mistake.
  [[ $until =~ ^[0-9]{1,12}$ ]] && ((until > $(date +%s) && until < NOW + 86400))
}

stop_if_held() {
  held || return 0
  log "A deployment is at work; the upgrade waits for it."
  set_state '.phase = null'
  exit 0
}

# Runs a command; what it says goes to the journal and to a file.
logged() { # FILE COMMAND…
  local file=$1
  shift
  { "$@" 2>&1 1>&3 | tee "$file" >&2; } 3>&1
}

# The first useful line of what Nix said; tokens never get that far, and would not get through.
first_error() { # FILE
  { grep -E 'error: .+' "$1" || tail -n 1 "$1"; } | tail -n 1 |
    sed -E 's/^ *error: *//; s/(gh[pousr]_|github_pat_)[A-Za-z0-9_]+/[token]/g' | cut -c 1-500
}

kind_of() { # FILE KIND
  if grep -q 'No space left on device' "$1"; then echo disk; else echo "$2"; fi
}

ask() {
  local answer
  answer=$(nixos-upgrade-remote)
  case $(jq -r .state <<<"$answer") in
  ok)
    wanted=$(jq -r .revision <<<"$answer")
    set_state '.check = $now | .waiting = false | .notBefore = null | .tokenExpires = $answer.tokenExpires | .moved = $answer.moved
      | .wanted = (if .wanted.revision == $answer.revision then .wanted else {revision: $answer.revision, since: $now} end)' \
      --argjson answer "$answer"
    ;;
  waiting)
    set_state '.check = $now'
    [[ -z $(get_state .installed) ]] || fail branch-gone \
      "The branch $UPGRADE_BRANCH is gone from the repository; this machine stays as it is."
    set_state '.waiting = true | .error = null'
    log "Nothing was pushed to the branch $UPGRADE_BRANCH yet; waiting for the first push."
    exit 0
    ;;
  *)
    set_state '.notBefore = $answer.notBefore' --argjson answer "$answer"
    fail "$(jq -r .kind <<<"$answer")" "$(jq -r .message <<<"$answer")"
    ;;
  esac
}

# The poll ends because the repository could not answer, which is no fault of the revision's.
fail_trouble() {
  set_state '.notBefore = (if $trouble.wait then $begin + ([$trouble.wait, 3600] | min) else null end)' \
    --argjson begin "$NOW" --argjson trouble "$TROUBLE"
  fail "$(jq -r .kind <<<"$TROUBLE")" "$(jq -r .message <<<"$TROUBLE")"
}

# Whether what the branch says may be installed at all, asked before any of it is evaluated or recorded: it leads on from
# what was installed from the branch last, and it is signed where this system wants that.
refuse_untrusted() {
  local installed status=0
  installed=$(get_state .installed)
  [[ $installed != "$wanted" ]] || return 0

  if [[ -n $installed && $UPGRADE_ALLOW_REWRITTEN_HISTORY != true ]]; then
    leads_on "$installed" "$wanted" || status=$?
    ((status < 2)) || fail_trouble
    ((status == 0)) || chosen_by_a_person ||
      fail_revision rewritten "the branch was rewritten: it does not lead on from $(short "$installed"), which was installed last. Install it by a deployment (\`pulumi up\`), or set continuousDeployment.upgrade.allowRewrittenHistory."
  fi

  if [[ -n $UPGRADE_ALLOWED_SIGNERS ]]; then
    status=0
    signed "$wanted" || status=$?
    ((status < 2)) || fail_trouble
    ((status == 0)) ||
      fail_revision unsigned "it is not signed by a key that this system trusts: $(jq -r .message <<<"$TROUBLE"). See continuousDeployment.upgrade.signatures."
  fi
}

# Since this rewritten revision was refused, somebody has installed its very system by a deployment.
chosen_by_a_person() {
  [[ $(get_state '.failed | "\(.kind) \(.revision)"') == "rewritten $wanted" &&
  $(get_state .failed.running) != "$(current_system)" ]] || return 1
  local derivation
  derivation=$(evaluate) && [[ $(nix-store --query --outputs "$derivation") == "$(current_system)" ]]
}

# A deployment that rolled this system back wrote it down, with the branch's revision of that time.
rejected() { # SYSTEM
  local path revision
  while read -r path revision; do
    [[ $path == "$1" ]] || continue
    [[ $revision != "$wanted" ]] || return 0
    # Where the revision was not known, it is the one at which this was first met.
    if [[ ${revision:--} == - ]]; then
      [[ $(get_state '.failed | "\(.kind) \(.system)"') == "rejected $1" ]] || return 0
      [[ $(get_state .failed.revision) != "$wanted" ]] || return 0
    fi
  done < <(cat "$UPGRADE_REJECTED" 2>/dev/null)
  return 1
}

# Whether the new system goes on upgrading itself, or says itself that it does not.
goes_on() { # SYSTEM
  [[ -e $1/etc/systemd/system/timers.target.wants/nixos-upgrade.timer || -e $1/etc/nixos-upgrade/off ]]
}

# Activates a system in a unit of its own, which ends whole whatever becomes of this one. The name is
# the one that nixos-rebuild uses, so that the two never activate at the same time.
activate() { # SYSTEM ACTION
  systemd-run --collect --quiet --wait --no-ask-password --service-type=exec \
    --unit=nixos-rebuild-switch-to-configuration --property="RuntimeMaxSec=$UPGRADE_SWITCH_SECONDS" \
    --setenv=LOCALE_ARCHIVE --setenv=NIXOS_INSTALL_BOOTLOADER=0 \
    "$1/bin/switch-to-configuration" "$2"
}

# Makes a system the one that boots. The profile comes first: the boot menu is made from it.
keep() { # SYSTEM
  nix-env --profile /nix/var/nix/profiles/system --set "$1" && activate "$1" boot
}

# NixOS's own checks of a switch, asked before anything is touched. They refuse what a running system cannot become, such
# as another implementation of D-Bus: only a restart leads there, and that is for a person to choose.
refuse_unswitchable() { # SYSTEM
  local output=$UPGRADE_STATE/output changes
  if "$1/bin/switch-to-configuration" check >"$output" 2>&1; then return; fi
  cat "$output" >&2
  changes=$(sed -n 's/^\([^ ]* : .* -> .*\)$/\1/p' "$output" | paste -sd ';')
  [[ -z $changes ]] || fail_revision restart \
    "only a restart can bring the machine there ($changes): see docs/trouble/failed-upgrade.md." "$1"
  # Any other failure shows in the activation itself.
  ! grep -q '^Pre-switch check' "$output" || fail_revision activation \
    "NixOS's checks before a switch refuse it: $(grep -m 1 '^Pre-switch check' "$output")" "$1"
}

go_back() { # PREVIOUS
  log "Going back to $1."
  activate "$1" test || log "The previous system could not be activated whole (exit code $?)."
  [[ $(readlink -f /nix/var/nix/profiles/system) == "$1" ]] || keep "$1" ||
    log "The previous system could not be made the one that boots."
  rm -f "$UPGRADE_STATE/pending.json"
}

healthy() { # SYSTEM, units that had failed before on standard input
  local check=$1/etc/nixos-upgrade/health
  # The new system knows best what it must serve; one without a check gets this system's.
  [[ -x $check ]] || check=nixos-upgrade-health
  # What this system cannot read either is not the new one's fault.
  UPGRADE_REMOTE_BEFORE=$(command -v nixos-upgrade-remote) "$check"
}

finish() { # SYSTEM PREVIOUS UNITS THAT HAD FAILED BEFORE
  enter_phase checking
  local problems
  if ! problems=$(healthy "$1" <<<"$3"); then
    go_back "$2"
    fail_revision health "the new system was not healthy: ${problems//$'\n'/; }" "$1"
  fi
  if ! keep "$1"; then
    go_back "$2"
    fail_revision activation "the boot loader could not be installed: see journalctl -u nixos-rebuild-switch-to-configuration" "$1"
  fi
  rm -f "$UPGRADE_STATE/pending.json"
  succeed "$1"
  log "Revision $(short "$wanted") runs: $1"
}

# A poll that was cut off in the middle of a switch left a note; what it began is ended first.
resume() {
  local pending system previous
  [[ -s $UPGRADE_STATE/pending.json ]] || return 0
  pending=$(read_json "$UPGRADE_STATE/pending.json")
  if systemctl is-active --quiet nixos-rebuild-switch-to-configuration.service; then
    log "A switch is still at work."
    exit 0
  fi
  wanted=$(jq -r .revision <<<"$pending")
  system=$(jq -r .system <<<"$pending")
  if [[ $system == null ]]; then
    # Damaged: the system that runs decides.
    rm -f "$UPGRADE_STATE/pending.json"
    return 0
  fi
  previous=$(jq -r .previous <<<"$pending")
  if [[ $(current_system) == "$system" ]]; then
    finish "$system" "$previous" "$(jq -r .failedBefore <<<"$pending")"
  else
    rm -f "$UPGRADE_STATE/pending.json"
    fail_revision interrupted "the machine went down while the new system was activated." "$system"
  fi
}

# Prints the derivation of the revision's system.
evaluate() {
  logged "$UPGRADE_STATE/output" timeout 1800 \
    nix --extra-experimental-features 'nix-command flakes' eval --raw --no-write-lock-file \
    "${UPGRADE_FLAKE//REVISION/$wanted}#nixosConfigurations.\"$UPGRADE_ATTRIBUTE\".config.system.build.toplevel.drvPath"
}

upgrade() {
  local derivation system previous failed_before status=0
  local output=$UPGRADE_STATE/output

  enter_phase evaluating
  log "Evaluating revision $(short "$wanted")."
  derivation=$(evaluate) ||
    fail_revision "$(kind_of "$output" evaluation)" "$(first_error "$output")"
  system=$(nix-store --query --outputs "$derivation")

  previous=$(current_system)
  if [[ $system == "$previous" ]]; then
    succeed "$system"
    log "Revision $(short "$wanted") changes nothing on this machine."
    return
  fi

  ! rejected "$system" ||
    fail_revision rejected "a deployment rolled this system back; it is tried again when the branch moves." "$system"

  enter_phase building
  # The root keeps the new system from being collected before it runs.
  logged "$output" nix-store --realise "$derivation" --add-root "$UPGRADE_STATE/system" --indirect >/dev/null ||
    fail_revision "$(kind_of "$output" build)" "$(first_error "$output")" "$system"
  goes_on "$system" ||
    fail_revision switches-off "the new system would not upgrade itself any more. If that is meant, say so: continuousDeployment.upgrade.enable = false." "$system"

  refuse_unswitchable "$system"

  # A deployment may have begun while this was building.
  stop_if_held
  enter_phase switching
  failed_before=$(failed_units)
  jq -nc --arg revision "$wanted" --arg system "$system" --arg previous "$previous" --arg failed "$failed_before" \
    '{revision: $revision, system: $system, previous: $previous, failedBefore: $failed}' |
    replace_file "$UPGRADE_STATE/pending.json" 600
  log "Switching from $previous to $system."
  activate "$system" test || status=$?
  # Exit code 4: activated, but some units failed; the health check tells which, and whether they matter.
  if [[ $status != 0 && $status != 4 ]]; then
    go_back "$previous"
    fail_revision activation "the new system could not be activated (exit code $status): see journalctl -u nixos-rebuild-switch-to-configuration" "$system"
  fi
  finish "$system" "$previous" "$failed_before"
}

main() {
  mkdir -p "$UPGRADE_STATE"
  exec 9>"$UPGRADE_STATE/lock"
  flock --nonblock 9 || {
    log "Another upgrade is at work."
    exit 0
  }
  state=$(read_json "$STATE_FILE")
  trap 'forget_requests; nixos-upgrade-status || true' EXIT

  stop_if_held
  resume
  local not_before
  not_before=$(get_state .notBefore)
  if [[ -n $not_before ]] && ((not_before > NOW && not_before <= NOW + 3600)); then
    log "GitHub asks to wait until $(timestamp "$not_before")."
    exit 1
  fi
  ask

  if [[ $(get_state .installed) == "$wanted" && $(get_state .evaluated.revision) == "$wanted" &&
  $(get_state .evaluated.system) == "$(current_system)" ]]; then
    succeed "$(current_system)"
    exit 0
  fi
  # A system that failed and runs all the same was installed by a person, or by a restart.
  if [[ $(get_state .failed.revision) == "$wanted" && $(get_state .failed.system) != "$(current_system)" &&
  ($(get_state .failed.kind) != rewritten || $(get_state .failed.running) == "$(current_system)") ]]; then
    local retry_at
    retry_at=$(get_state .failed.retryAt)
    if [[ -z $retry_at ]] || ((retry_at > NOW)); then
      log "Revision $(short "$wanted") failed before ($(get_state .failed.kind)); it is tried again ${retry_at:+at $(timestamp "$retry_at") or }when the branch moves."
      exit 1
    fi
  fi
  refuse_untrusted
  upgrade
}

main
