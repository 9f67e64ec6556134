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
flags=()
[[ -z $UPGRADE_NIX_FLAGS ]] || mapfile -t flags <<<"$UPGRADE_NIX_FLAGS"

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
  # A disk that the new system has filled must not keep it from being judged.
  set_state '.phase = $phase' --arg phase "$1" || true
  nixos-upgrade-status || true
}

# The poll ends with an error that is not the revision's fault; the next poll tries again.
fail() { # KIND MESSAGE
  log "$2"
  set_state '.error = {
      kind: $kind, summary: $summary, message: $message, at: $now,
      since: (if .error.kind == $kind then .error.since else $now end)
    } | .phase = null | .failures[$kind] += 1' --arg kind "$1" --arg summary "$(public_summary "$1")" --arg message "$2"
  exit 1
}

# The revision itself does not work: not again until the branch moves or the time has passed.
fail_revision() { # KIND MESSAGE SYSTEM
  note_failed "$1" "${3:-}"
  fail "$1" "Revision $(short "$wanted"): $2"
}

note_failed() { # KIND SYSTEM
  local retry=$(($(date +%s) + UPGRADE_RETRY_SECONDS))
  # A deployment's verdict stands until the branch moves.
  # So does CI's, until it has released the revision after all.
  [[ $1 != rejected && $1 != ci-failed ]] || retry=null
  set_state '.releaseWait = null | .failed = {revision: $revision, system: $system, kind: $kind, at: $now, retryAt: $retry, running: $running}' \
    --arg revision "$wanted" --arg system "$2" --arg kind "$1" --argjson retry "$retry" --arg running "$(system_now)"
}

# The system that runs is that of the branch.
succeed() { # SYSTEM
  set_state '.running = (if .running.system == $system and .running.revision == $revision then .running
        else {system: $system, revision: $revision, since: $now} end)
    | .evaluated = {system: $system, revision: $revision}
    | .installed = $revision | .success = $now | .error = null | .failed = null | .phase = null | .waiting = false | .releaseWait = null' \
    --arg system "$1" --arg revision "$wanted"
}

held() {
  local until
  # The guard of a deployment is ended by timers, whatever becomes of the clock that the lease goes by.
  ! systemctl is-active --quiet "$GUARD_UNIT.timer" "$CONFIRM_UNIT.timer" "$ROLLBACK_UNIT.service" || return 0
  until=$(cat "$HOLD_FILE" 2>/dev/null) && in_force "$until"
}

stop_if_held() {
  held || return 0
  log "A deployment is at work; the upgrade waits for it."
  set_state '.phase = null'
  exit 0
}

# Runs a command; what it says goes to the journal and to a file, but for git's progress.
logged() { # FILE COMMAND…
  local file=$1
  shift
  { "$@" 2>&1 1>&3 | without_progress | tee "$file" >&2; } 3>&1
}

# Git draws its bars over each other with carriage returns; a journal keeps every one.
without_progress() {
  sed -uE 's/.*\r(.+)/\1/; s/\r$//
    /^(remote: )?((Enumerating|Counting|Compressing|Receiving|Writing|Unpacking|Updating|Filtering) (objects|files|content)|Resolving deltas|Total [0-9]+ \(delta|[0-9]+% )/d'
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
      | .wanted = (if .wanted.revision == $answer.revision then .wanted else {revision: $answer.revision, since: $now} end)
      # What kept it from reading is over, and what was wrong with another revision does not tell of this one.
      | .error = (if .failed.revision == $answer.revision and .failed.kind == .error.kind then .error else null end)' \
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
      fail_revision rewritten "the branch was rewritten: it does not lead on from $(short "$installed"), which was installed last. Install it by a deployment (\`pulumi up\`), or set pulumiNixos.upgrade.allowRewrittenHistory; one that changes nothing here is taken after rm $STATE_FILE."
  fi

  if [[ -n $UPGRADE_ALLOWED_SIGNERS ]]; then
    status=0
    signed "$wanted" || status=$?
    ((status < 2)) || fail_trouble
    ((status == 0)) ||
      fail_revision unsigned "it is not signed by a key that this system trusts: $(jq -r .message <<<"$TROUBLE"). See pulumiNixos.upgrade.signatures."
  fi
}

# Since this rewritten revision was refused, somebody has installed its very system by a deployment.
chosen_by_a_person() {
  [[ $(get_state '.failed | "\(.kind) \(.revision)"') == "rewritten $wanted" &&
  $(get_state .failed.running) != "$(system_now)" ]] || return 1
  local derivation
  derivation=$(evaluate) && [[ $(nix-store --query --outputs "$derivation") == "$(system_now)" ]]
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
  done < <(cat "$REJECTED_FILE" 2>/dev/null)
  return 1
}

# Whether the new system goes on upgrading itself, or says itself that it does not.
goes_on() { # SYSTEM
  [[ -e $1/etc/systemd/system/timers.target.wants/nixos-upgrade.timer || -e $1/etc/nixos-upgrade/off ]]
}

# Prints the derivation of the revision's system.
evaluate() {
  logged "$UPGRADE_STATE/output" timeout 1800 \
    nix --extra-experimental-features 'nix-command flakes' eval --raw --no-write-lock-file "${flags[@]}" \
    "${UPGRADE_FLAKE//REVISION/$wanted}#nixosConfigurations.\"$UPGRADE_ATTRIBUTE\".config.system.build.toplevel.drvPath"
}

upgrade() {
  local derivation system
  local output=$UPGRADE_STATE/output

  enter_phase evaluating
  log "Evaluating revision $(short "$wanted")."
  derivation=$(evaluate) ||
    fail_revision "$(kind_of "$output" evaluation)" "$(first_error "$output")"
  system=$(nix-store --query --outputs "$derivation")

  if [[ $system == "$(system_now)" ]]; then
    succeed "$system"
    log "Revision $(short "$wanted") changes nothing on this machine."
    return
  fi

  ! rejected "$system" ||
    fail_revision rejected "a deployment rolled this system back; it is tried again when the branch moves." "$system"

  enter_phase building
  # The root keeps the new system from being collected before it runs.
  # What a cache did not have a moment ago it may have now.
  logged "$output" nix-store --realise "$derivation" "${flags[@]}" --add-root "$UPGRADE_STATE/system" --indirect \
    --option narinfo-cache-negative-ttl 0 >/dev/null ||
    fail_revision "$(kind_of "$output" build)" "$(first_error "$output")" "$system"
  install_system "$system"
}

# From a system that is in the store to one that runs.
install_system() { # SYSTEM
  local system=$1
  goes_on "$system" ||
    fail_revision switches-off "the new system would not upgrade itself any more. If that is meant, say so: pulumiNixos.upgrade.enable = false." "$system"

  refuse_unswitchable "$system"

  # A deployment may have begun meanwhile.
  stop_if_held
  enter_phase switching
  switch "$system"
}

main() {
  mkdir -p "$UPGRADE_STATE"
  exec 9>"$UPGRADE_STATE/lock"
  flock --nonblock 9 || {
    log "Another upgrade is at work."
    exit 0
  }
  state=$(read_json "$STATE_FILE")
  trap 'forget_requests; forget_releases; nixos-upgrade-status || true' EXIT

  stop_if_held
  resume
  local not_before
  not_before=$(get_state .notBefore)
  if [[ -n $not_before ]] && ((not_before > NOW && not_before <= NOW + 3600)); then
    log "GitHub asks to wait until $(timestamp "$not_before")."
    exit 1
  fi
  ask

  # One that has release keys asks what CI has released.
  [[ -z $UPGRADE_RELEASE_SIGNERS ]] || upgrade_by_release
  if is_current; then
    succeed "$(system_now)"
    exit 0
  fi
  stop_if_failed
  refuse_untrusted
  upgrade
}

# Whether the branch's revision is installed, and its system the one that runs.
is_current() {
  [[ $(get_state .installed) == "$wanted" && $(get_state .evaluated.revision) == "$wanted" &&
  $(get_state .evaluated.system) == "$(system_now)" ]]
}

# The poll ends with a revision that has failed, until its time comes.
stop_if_failed() {
  # A system that failed and runs all the same was installed by a person, or by a restart.
  if [[ $(get_state .failed.revision) == "$wanted" && $(get_state .failed.system) != "$(system_now)" &&
  ($(get_state .failed.kind) != rewritten || $(get_state .failed.running) == "$(system_now)") ]]; then
    local retry_at
    retry_at=$(get_state .failed.retryAt)
    # Further ahead than it ever is, it was written while the clock was wrong.
    if [[ -z $retry_at ]] || ((retry_at > NOW && retry_at <= NOW + UPGRADE_RETRY_SECONDS)); then
      log "Revision $(short "$wanted") failed before ($(get_state .failed.kind)); it is tried again ${retry_at:+at $(timestamp "$retry_at") or }when the branch moves."
      exit 1
    fi
  fi
}

main
