# shellcheck shell=bash
# shellcheck disable=SC2016,SC2154 # names in single quotes are jq's; `state` is upgrade.sh's
# The upgrade of a machine that has release keys: CI has evaluated and built, and says so in a signed record (record.sh);
# this machine only fetches. Nothing here evaluates or builds.

# Installs what was released, or waits for it. Returns only where this machine is to evaluate and build itself.
upgrade_by_release() {
  local status=0
  newest_release "$(jq -c '.release // {}' <<<"$state")" || status=$?
  # Where the record leads nowhere, TROUBLE says why, or it is of an older revision.
  ((status != 0)) || take_release || status=$?

  if is_current; then
    # A cache that cannot be reached is no trouble of a machine that needs nothing from it.
    ((status < 2)) || [[ $(jq -r .fault <<<"$TROUBLE") == server ]] || fail_refused
    ((status < 2)) || log "$(jq -r .message <<<"$TROUBLE")"
    succeed "$(system_now)"
    exit 0
  fi
  # One that could not be installed, by whatever way, rests until its time.
  [[ $(get_state .failed.kind) == ci-failed ]] || stop_if_failed
  wait_for_release "$status"
}

fail_refused() {
  fail "$(jq -r .kind <<<"$TROUBLE")" "$(jq -r .message <<<"$TROUBLE")"
}

# Exits where the newest release was installed, or runs already and is of the branch's revision. 1: it is of an older
# revision than what runs; 2: it cannot be installed.
take_release() {
  local system tip branch=$wanted
  system=$(record .system) tip=$(record .tip)
  # The highest number is kept whatever comes of it: an older record is never taken again.
  [[ $RECORD_KNOWN == true ]] || set_state '.release = ($record | {number, revision, tip, republished, system, time, validUntil, digest: $digest})' \
    --argjson record "$RECORD" --arg digest "$RECORD_DIGEST"

  if [[ $tip == "$wanted" ]]; then
    [[ $system != "$(system_now)" ]] || {
      succeed "$system"
      log "Release $(record .number) of revision $(short "$(record .revision)") runs."
      exit 0
    }
  else
    relate "$tip"
    case $RELATION in
    way) ;;
    aside) return 1 ;;
    moving)
      log "Release $(record .number) is of a newer revision than the branch was at a moment ago; the next poll looks again."
      exit 0
      ;;
    *)
      refused revision "it was made when the branch was at $(short "$tip"), which does not lead to $(short "$wanted"), where the branch is"
      return
      ;;
    esac
    # The newest that there is, on the way to what the branch says.
    wanted=$tip
    if [[ $system == "$(system_now)" ]]; then
      succeed "$system"
      wanted=$branch
      return 1
    fi
  fi

  [[ $(get_state .failed.system) != "$system" ]] || stop_if_failed
  if (($(record .validUntil) <= NOW)); then
    wanted=$branch
    refused expired "it was valid until $(timestamp "$(record .validUntil)"), and here it is $(timestamp "$NOW")"
    return
  fi
  refuse_untrusted
  ! rejected "$system" ||
    fail_revision rejected "a deployment rolled this system back; it is tried again when the branch moves." "$system"
  fetch_system "$system" || {
    wanted=$branch
    return 2
  }
  install_system "$system"
  exit 0
}

# How another revision than the branch's stands to it, in RELATION:
#   way     between the one that is installed and the branch's, or the branch's before something else was released again
#   aside   not newer than what is installed
#   moving  newer than the branch's
#   other   none of these
# Asked once: the answer costs a look at the repository.
relate() { # TIP
  local installed known=0
  installed=$(get_state .installed)
  if [[ $installed == "$1" ]]; then
    RELATION=aside
    [[ $(record .republished) != true || $(record .system) == "$(system_now)" ]] || RELATION=way
    return
  fi
  RELATION=$(jq -r --arg of "$1 $wanted $installed" 'select(.relation.of == $of) | .relation.is' <<<"$state")
  [[ -z $RELATION ]] || return 0
  leads_on "$1" "$wanted" || known=$?
  case $known in
  0)
    RELATION=way
    if [[ -n $installed ]]; then
      leads_on "$installed" "$1" || known=$?
      ((known < 2)) || fail_trouble
      ((known == 0)) || RELATION=aside
    fi
    ;;
  1)
    RELATION=other known=0
    # By git, one that is not on the branch cannot be told from one that was a moment ago.
    leads_on "$wanted" "$1" || known=$?
    ((known < 2)) || [[ $(jq -r .kind <<<"$TROUBLE") == moving ]] || fail_trouble
    ((known != 0)) || RELATION=moving
    ;;
  *) fail_trouble ;;
  esac
  [[ $RELATION == moving ]] || set_state '.relation = {of: $of, is: $is}' --arg of "$1 $wanted $installed" --arg is "$RELATION"
}

# Brings a system into the store, from caches alone: where a part is missing, nothing is built in its place.
fetch_system() { # SYSTEM
  local output=$UPGRADE_STATE/output
  enter_phase fetching
  log "Fetching release $(record .number) of revision $(short "$(record .revision)"): $1"
  # Nix remembers for an hour what a cache did not have, and for a month who had signed what it had.
  if logged "$output" nix-store --realise "$1" --add-root "$UPGRADE_STATE/system" --indirect \
    --max-jobs 0 --option builders "" --option narinfo-cache-negative-ttl 0 \
    --option narinfo-cache-positive-ttl 0 >/dev/null; then
    return
  fi
  if grep -q 'No space left on device' "$output"; then fail_revision disk "$(first_error "$output")" "$1"; fi
  if grep -qE 'lacks a (valid )?signature|not signed by any of the keys|signature.*trusted' "$output"; then
    refused untrusted "the cache has the system, but no key that this system trusts has signed it: $(first_error "$output")"
  else
    refused missing "the cache does not have the whole system: $(first_error "$output")"
  fi
}

# CI has not released the branch's revision yet, or what it released is refused.
wait_for_release() { # 1: nothing is there; 2: TROUBLE says why it is refused
  local since until progress summary
  if [[ $(get_state .releaseWait.checked) != "$wanted" ]]; then
    # What may not be installed at all is said now and not after the wait.
    refuse_untrusted
    set_state '.releaseWait.checked = $wanted' --arg wanted "$wanted"
  fi
  progress=$(release_progress "$wanted")
  if [[ $progress == failed ]]; then
    fail_revision ci-failed "CI could not build it. It is tried again when the branch moves, or when CI has released it after all."
  fi
  # The wait does not begin anew as the branch moves: a merge a minute would make it endless.
  since=$(get_state .releaseWait.since)
  [[ -n $since ]] && ((since <= $(date +%s))) || since=$(date +%s)
  until=$((since + UPGRADE_RELEASE_WAIT_SECONDS))
  set_state '.releaseWait += {since: $since, until: $until, progress: $progress} | .failed = (if .failed.kind == "ci-failed" then null else .failed end)' \
    --argjson since "$since" --argjson until "$until" --arg progress "$progress"
  if (($(date +%s) < until)); then
    (($1 < 2)) || fail_refused
    set_state '.phase = "awaiting"'
    log "Waiting for the release of revision $(short "$wanted") until $(timestamp "$until"): $([[ $progress == started ]] && echo "CI is at work on it" || echo "CI has not begun")."
    exit 0
  fi
  summary="no release of revision $(short "$wanted") came within $UPGRADE_RELEASE_WAIT_SECONDS seconds"
  (($1 < 2)) || summary="$summary. $(jq -r .message <<<"$TROUBLE")"
  if [[ $UPGRADE_RELEASE_REQUIRED == true ]]; then
    fail unreleased "This machine stays as it is: $summary. By pulumiNixos.upgrade.release.required it builds nothing itself. Look at the run of CI on the branch $UPGRADE_BRANCH."
  fi
  log "This machine evaluates and builds itself: $summary."
}
