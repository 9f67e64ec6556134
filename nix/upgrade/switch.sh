# shellcheck shell=bash
# shellcheck disable=SC2016 # names in single quotes are jq's
# From a system that was built to one that is kept, or back. pending.json stands for a switch that is not over: whatever
# ends the upgrade in between, its next start goes on from there. What runs until then is in units of its own.

# Activates a system in a unit of its own, which ends whole whatever becomes of this one.
activate() { # SYSTEM ACTION
  # The last to be killed for memory: half an activation is worse than none.
  systemd-run --collect --quiet --wait --no-ask-password --service-type=exec \
    --unit="$SWITCH_UNIT" --property="RuntimeMaxSec=$UPGRADE_SWITCH_SECONDS" --property=OOMScoreAdjust=-900 \
    --setenv=LOCALE_ARCHIVE --setenv=NIXOS_INSTALL_BOOTLOADER=0 \
    "$1/bin/switch-to-configuration" "$2"
}

# Makes a system the one that boots. The profile comes first: the boot menu is made from it.
keep() { # SYSTEM
  nix-env --profile "$SYSTEM_PROFILE" --set "$1" && activate "$1" boot
}

# NixOS's own checks of a switch, asked before anything is touched. They refuse what a running system cannot become, such
# as another implementation of D-Bus: only a restart leads there, and that is for a person to choose.
refuse_unswitchable() { # SYSTEM
  local output=$UPGRADE_STATE/output changes
  if [[ -e $1/init-interface-version ]] && ! cmp -s "$1/init-interface-version" /run/current-system/init-interface-version; then
    refuse_restart "another interface of init" "$1"
  fi
  if "$1/bin/switch-to-configuration" check >"$output" 2>&1; then return; fi
  cat "$output" >&2
  changes=$(sed -n 's/^\([^ ]* : .* -> .*\)$/\1/p' "$output" | paste -sd ';')
  [[ -z $changes ]] || refuse_restart "$changes" "$1"
  # Any other failure shows in the activation itself.
  ! grep -q '^Pre-switch check' "$output" || fail_revision activation \
    "NixOS's checks before a switch refuse it: $(grep -m 1 '^Pre-switch check' "$output")" "$1"
}

refuse_restart() { # WHY SYSTEM
  fail_revision restart "only a restart can bring the machine there ($1): see docs/trouble/failed-upgrade.md." "$2"
}

# The switch itself.
switch() { # SYSTEM
  local system=$1 previous before status=0
  previous=$(system_now)
  before=$(trouble_before)
  record_access >"$UPGRADE_STATE/access"
  record_reading >"$UPGRADE_STATE/reading"
  record_network >"$UPGRADE_STATE/network"
  jq -nc --arg revision "$wanted" --arg system "$system" --arg previous "$previous" --arg before "$before" \
    --arg profile "$(profile_now)" --arg generation "$(generation_now)" \
    '{revision: $revision, system: $system, previous: $previous, profile: $profile, generation: $generation, failedBefore: $before}' |
    note_pending
  log "Switching from $previous to $system."
  activate "$system" test || status=$?
  judge_activation "$status" "$system" "$previous"
  finish "$system" "$previous" "$before"
}

# On the disk before anything is touched: a system that brings the machine down, and the note of it with it, would be tried
# again at every start.
note_pending() { # contents on standard input
  replace_file "$UPGRADE_STATE/pending.json" 600 && sync "$UPGRADE_STATE/pending.json" "$UPGRADE_STATE"
}

judge_activation() { # EXIT-CODE SYSTEM PREVIOUS
  if needs_restart "$1"; then
    rm -f "$UPGRADE_STATE/pending.json"
    refuse_restart "another interface of init" "$2"
  elif ! activated "$1"; then
    take_back activation "the new system could not be activated (exit code $1): see journalctl -u $SWITCH_UNIT" "$2" "$3"
  elif [[ $1 != 0 ]]; then
    # Something failed; the health check tells what, and whether it matters.
    log "switch-to-configuration ended with exit code $1. $(activation_warnings)"
  fi
}

# What the activation that has just ended complained of.
activation_warnings() {
  journalctl --unit "$SWITCH_UNIT" --output cat --no-pager --lines 200 --since "@$NOW" 2>/dev/null |
    grep -E '^(warning: |Failed to )' | sort -u | paste -sd ' ' || true
}

healthy() { # SYSTEM PREVIOUS, units that were in trouble before on standard input
  local check=$1/etc/nixos-upgrade/health
  # The new system knows best what it must serve; one without a check gets this system's.
  [[ -x $check ]] || check=nixos-upgrade-health
  # What this system cannot read either is not the new one's fault.
  UPGRADE_REMOTE_BEFORE=$(command -v nixos-upgrade-remote) UPGRADE_READING_BEFORE=$UPGRADE_STATE/reading "$check" "$2"
}

# The key and the token that this system reads its repository with, as `sha256sum --check` takes them.
record_reading() {
  sha256sum "$UPGRADE_MACHINE_KEY" "$UPGRADE_TOKEN_CONFIG" 2>/dev/null || true
}

finish() { # SYSTEM PREVIOUS UNITS THAT WERE IN TROUBLE BEFORE
  enter_phase checking
  local problems
  problems=$(healthy "$1" "$2" <<<"$3") ||
    take_back health "the new system was not healthy: ${problems//$'\n'/; }" "$1" "$2"
  problems=$(lost_network "$UPGRADE_STATE/network") ||
    take_back health "the new system was not healthy: ${problems//$'\n'/; }" "$1" "$2"
  problems=$(lost_access "$1" "$UPGRADE_STATE/access") ||
    take_back lockout "the new system would lock deployments out: ${problems//$'\n'/; }. If that is meant, say so: pulumiNixos.upgrade.allowLockout = true." "$1" "$2"
  keep "$1" ||
    take_back activation "the boot loader could not be installed: see journalctl -u $SWITCH_UNIT" "$1" "$2"
  remember_before "$1" "$2" <<<"$3" || true
  rm -f "$UPGRADE_STATE/pending.json"
  succeed "$1"
  log "Revision $(short "$wanted") runs: $1"
}

# Goes back, and writes the revision down as failed. Noted before, so that a program that is killed on the way goes on
# with this; a full disk loses only the note.
take_back() { # KIND MESSAGE SYSTEM PREVIOUS
  read_json "$UPGRADE_STATE/pending.json" |
    jq -c '.back = {kind: $kind, message: $message}' --arg kind "$1" --arg message "$2" |
    note_pending || true
  if ! go_back_to "$4"; then
    # The note stays, and with it the next try.
    fail "$1" "Revision $(short "$wanted"): $2 The machine could not go back to $4; it tries again."
  fi
  # In this order, on the disk too: killed in between it goes back once more, and does not install the revision once more.
  note_failed "$1" "$3"
  sync "$STATE_FILE" || true
  rm -f "$UPGRADE_STATE/pending.json"
  fail "$1" "Revision $(short "$wanted"): $2"
}

go_back_to() { # PREVIOUS
  local try pending profile generation
  pending=$(read_json "$UPGRADE_STATE/pending.json")
  # An older version of this program noted no profile.
  profile=$(jq -r '.profile // empty' <<<"$pending")
  generation=$(jq -r '.generation // empty' <<<"$pending")
  log "Going back to $1."
  for ((try = 1; try <= ROLLBACK_TRIES; try++)); do
    ! go_back "$1" "${profile:-$1}" "$generation" || return 0
    log "The machine could not go back whole (try $try)."
    sleep 2
  done
  # Where only the end of an activation is wrong, more tries would not mend it.
  [[ $(system_now) == "$1" && $(profile_now) == "${profile:-$1}" ]]
}

# A poll that was cut off in the middle of a switch left a note; what it began is ended first.
resume() {
  local pending system previous kind status=0
  [[ -s $UPGRADE_STATE/pending.json ]] || return 0
  pending=$(read_json "$UPGRADE_STATE/pending.json")
  case $(systemctl is-active "$SWITCH_UNIT.service") in
  active | activating | deactivating | reloading)
    log "A switch is still at work."
    exit 0
    ;;
  esac
  wanted=$(jq -r .revision <<<"$pending")
  system=$(jq -r .system <<<"$pending")
  previous=$(jq -r .previous <<<"$pending")
  if [[ $system == null || $previous == null ]]; then
    # Damaged: the system that runs decides.
    rm -f "$UPGRADE_STATE/pending.json"
    return 0
  fi
  kind=$(jq -r '.back.kind // empty' <<<"$pending")
  if [[ $DEPLOYED_FILE -nt $UPGRADE_STATE/pending.json && $(cut -d ' ' -f 2 "$DEPLOYED_FILE") == "$system" &&
  $(system_now) == "$system" ]]; then
    # A deployment has installed this very one since, and found it well.
    rm -f "$UPGRADE_STATE/pending.json"
    return 0
  fi
  case $(system_now) in
  "$system" | "$previous") ;;
  *)
    # A deployment has installed another one since.
    rm -f "$UPGRADE_STATE/pending.json"
    return 0
    ;;
  esac
  if [[ -n $kind ]]; then
    take_back "$kind" "$(jq -r .back.message <<<"$pending")" "$system" "$previous"
  elif [[ $(system_now) == "$previous" ]]; then
    # Perhaps with units that the activation had stopped already.
    take_back interrupted "the machine went down while the new system was activated." "$system" "$previous"
  fi
  # Whether its activation came to an end is not known.
  activate "$system" test || status=$?
  judge_activation "$status" "$system" "$previous"
  finish "$system" "$previous" "$(jq -r .failedBefore <<<"$pending")"
}
