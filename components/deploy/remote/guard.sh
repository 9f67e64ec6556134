# shellcheck shell=bash
# Before a switch the deployment arms this guard; unless a new connection confirms the new system in time, and its units
# are well, the machine returns to the system that ran before (rollback.sh).
#
# `arm` leaves a copy of these files on the machine. From then on the machine needs no connection:
#   - the unit in which nixos-rebuild switches calls `switch_begins` and `switch_ends`, by a drop-in of that unit,
#   - a failed switch rolls back at once,
#   - after a good one the timer nixos-deploy-confirm runs, and rolls back when it elapses,
#   - the timer nixos-deploy-guard resolves every state in which that was missed, again and again until it is over,
#   - the unit nixos-deploy-resume does so when the machine starts, whether it was restarted or lost its power.
# Timers count from when they begin, so that a clock that is set changes nothing.
# To see what happened: `cat /run/nixos-deploy/guard/state`, `journalctl -u 'nixos-deploy-*'`.

# For a time nixos-rebuild added a random suffix to the unit's name; systemd reads the second folder for all of those.
DROP_IN_FOLDERS=("/run/systemd/system/$SWITCH_UNIT.service.d" "/run/systemd/system/$SWITCH_UNIT-.service.d")
PREVIOUS_ROOT=/nix/var/nix/gcroots/nixos-deploy-previous
# More than a system's checks may take: two tries of the longest limit.
CHECKS_SECONDS=45
# Units that NixOS leaves to others, and that outlive a restart.
UNIT_FOLDER=/etc/systemd/system.attached

guarded() {
  get "$GUARD_FOLDER/$1"
}

# Over the old one where there is no room for a new file: that is never emptied, and of it only the first line counts.
set_state() {
  put "$GUARD_FOLDER/state" "$1" || printf '%s\n' "$1" 1<>"$GUARD_FOLDER/state"
}

# Runs a function of this file in a unit of its own, which outlives the connection; its fixed name keeps it single.
# Usage: in_unit NAME FUNCTION-CALL [systemd-run options]
in_unit() {
  local name=$1 call=$2
  shift 2
  systemctl stop "$name.timer" 2>/dev/null || true
  systemctl reset-failed "$name.timer" "$name.service" 2>/dev/null || true
  # Without the lock: what is started outlives this script.
  # shellcheck disable=SC2086 # a function and its argument
  systemd-run --quiet --collect --no-block --unit="$name" "$@" -- \
    "$(guarded bash)" "$GUARD_FOLDER/guard.sh" $call 9>&-
}

# Usage: arm TOKEN SYSTEM SWITCH-SECONDS CONFIRM-SECONDS REVISION HOLDER GUARD-SCRIPT
arm() {
  local token=$1 system=$2 switch_seconds=$3 confirm_seconds=$4 revision=$5 holder=$6 script=$7 previous
  lock
  if ! has_lease "$token"; then
    say lost "$(lease_now)"
    return
  fi
  case $(guard_state) in
  armed | switching | switched* | rolling-back*)
    # Armed by this deployment, over a connection that broke before the answer came.
    if [[ $(guard_state) == armed && $(guarded token) == "$token" ]]; then
      say armed "$(guarded previous)"
    else
      say busy "$(guard_state)"
    fi
    return
    ;;
  esac
  previous=$(system_now)
  if [[ ! -x $previous/bin/switch-to-configuration ]]; then
    say no-way-back "$previous"
    return
  fi

  # What is half armed, on a full disk say, guards nothing and would keep others from switching.
  trap 'forget_guard; disarm; rm -rf "$GUARD_FOLDER"' EXIT
  rm -rf "$GUARD_FOLDER"
  mkdir -p "$GUARD_FOLDER"
  put "$GUARD_FOLDER/protocol" "$PROTOCOL_VERSION"
  put "$GUARD_FOLDER/token" "$token"
  put "$GUARD_FOLDER/system" "$system"
  put "$GUARD_FOLDER/previous" "$previous"
  put "$GUARD_FOLDER/profile" "$(profile_now)"
  put "$GUARD_FOLDER/generation" "$(generation_now)"
  put "$GUARD_FOLDER/revision" "$revision"
  put "$GUARD_FOLDER/confirm-seconds" "$confirm_seconds"
  put "$GUARD_FOLDER/bash" "$(readlink -f "$BASH")"
  # The tools of the system that is known to work come first: the new one may lack them.
  put "$GUARD_FOLDER/path" "$previous/sw/bin:$PATH"
  put "$GUARD_FOLDER/guard.sh" "$script"
  trouble_before >"$GUARD_FOLDER/before"
  # First what clears away: whoever kills this script half way leaves a guard that is not armed.
  watch_guard "$((switch_seconds + confirm_seconds))"
  # A system that was only tested is in no profile.
  ln -sfn "$previous" "$PREVIOUS_ROOT"
  if [[ -w ${UNIT_FOLDER%/*} ]]; then
    keep_guard
  else
    # An immutable /etc has no place for a unit, and is no reason not to deploy.
    say unkept
  fi

  mkdir -p "${DROP_IN_FOLDERS[@]}"
  # A switch that this guard does not expect does not begin, and none takes longer than it may.
  tee "${DROP_IN_FOLDERS[@]/%//nixos-deploy.conf}" >/dev/null <<EOD
[Service]
ExecStartPre=$(guarded bash) $GUARD_FOLDER/guard.sh switch_begins
ExecStopPost=$(guarded bash) $GUARD_FOLDER/guard.sh switch_ends
RuntimeMaxSec=$switch_seconds
TimeoutStopSec=10
EOD
  systemctl daemon-reload
  # The guard gives the lease back when it ends, so it may last.
  write_lease "$token" "$((switch_seconds + confirm_seconds + 120))" "$holder"
  set_state armed
  trap - EXIT
  say armed "$previous"
}

# Usage: watch_guard SECONDS
watch_guard() {
  in_unit "$GUARD_UNIT" resolve --on-active="$1" --on-unit-inactive=30 --timer-property=AccuracySec=1s \
    --property=OOMScoreAdjust=-900
}

# What a restart of the machine would make forget, and the unit that goes on from it.
keep_guard() {
  rm -rf "$KEPT_FOLDER"
  mkdir -p "$KEPT_FOLDER" "$UNIT_FOLDER/basic.target.wants"
  cp "$GUARD_FOLDER"/* "$KEPT_FOLDER/"
  put "$UNIT_FOLDER/$RESUME_UNIT.service" "[Unit]
Description=Go back from a system that no deployment has confirmed
Before=$UPGRADE_UNIT.service
ConditionPathExists=$KEPT_FOLDER/guard.sh
StartLimitIntervalSec=0
[Service]
Type=oneshot
Restart=on-failure
RestartSec=5
OOMScoreAdjust=-900
ExecStart=$(guarded bash) $KEPT_FOLDER/guard.sh resume"
  ln -sfn "../$RESUME_UNIT.service" "$UNIT_FOLDER/basic.target.wants/$RESUME_UNIT.service"
  sync "$KEPT_FOLDER"/* "$KEPT_FOLDER" "$UNIT_FOLDER" "$UNIT_FOLDER"/basic.target.wants
}

# From here on a restart starts with what the boot loader says.
forget_guard() {
  rm -rf "$KEPT_FOLDER"
  rm -f "$UNIT_FOLDER/$RESUME_UNIT.service" "$UNIT_FOLDER/basic.target.wants/$RESUME_UNIT.service"
  rmdir "$UNIT_FOLDER/basic.target.wants" "$UNIT_FOLDER" 2>/dev/null || true
  # A power cut a moment later must not bring it back.
  sync "$STATE_FOLDER" "${UNIT_FOLDER%/*}" 2>/dev/null || true
}

# The machine has started with a guard that was not done.
resume() {
  local deployed kept
  lock
  # Not a start of the machine: a switch starts all targets once more, and what they want.
  [[ $(guard_state) == none ]] || return 0
  mkdir -p "$GUARD_FOLDER"
  cp "$KEPT_FOLDER"/* "$GUARD_FOLDER/"
  rm -f "$GUARD_FOLDER/tries"
  read -r _ deployed <<<"$(since_armed "$DEPLOYED_FILE")"
  read -r kept _ <<<"$(since_armed "$BEFORE_FILE")"
  case $(system_now) in
  "$(guarded previous)")
    # The switch had not got as far as the boot loader, or the boot loader has gone back by itself.
    restore_profile "$(guarded profile)" "$(guarded generation)" || true
    "$(guarded profile)/bin/switch-to-configuration" boot 9>&- || true
    set_state "rolled-back restarted"
    ;;
  "$deployed" | "$kept")
    # An older deployment has confirmed it, or an upgrade has found it well; neither knows of this guard.
    set_state "confirmed 0"
    ;;
  "$(guarded system)")
    write_lease "$(guarded token)" 600 "rollback after a restart"
    watch_guard 120
    begin_rollback restarted
    return
    ;;
  *)
    # Something else was installed since.
    set_state released
    ;;
  esac
  forget_guard
  disarm || true
}

# The first line of a file that was written after the guard was armed. Usage: since_armed FILE
since_armed() {
  [[ ! $1 -nt $KEPT_FOLDER/guard.sh ]] || get "$1"
}

switch_begins() {
  lock
  [[ $(guard_state) == armed ]] || exit 1
  set_state switching
}

# systemd sets SERVICE_RESULT, EXIT_CODE and EXIT_STATUS.
switch_ends() {
  lock
  [[ $(guard_state) == switching ]] || exit 0
  if [[ -e $GUARD_FOLDER/abandoned ]]; then
    begin_rollback interrupted
  elif [[ $EXIT_CODE == exited ]] && activated "$EXIT_STATUS"; then
    put "$GUARD_FOLDER/switched-at" "$(uptime_seconds)"
    in_unit "$CONFIRM_UNIT" not_confirmed --on-active="$(guarded confirm-seconds)" \
      --timer-property=AccuracySec=100ms --property=OOMScoreAdjust=-900
    set_state "switched $EXIT_STATUS"
  elif [[ $EXIT_CODE == exited ]] && needs_restart "$EXIT_STATUS"; then
    begin_rollback needs-restart
  elif [[ $SERVICE_RESULT == timeout ]]; then
    begin_rollback switch-took-too-long
  else
    begin_rollback "switch-failed-with-$EXIT_STATUS"
  fi
}

switches_at_work() {
  systemctl list-units --state=active,activating,deactivating --plain --no-legend "$SWITCH_UNIT*.service"
}

# The time for a confirmation is over.
not_confirmed() {
  lock
  [[ $(guard_state) != switched* ]] || begin_rollback not-confirmed
}

# Ends what should be over by now, whatever was killed or missed.
resolve() {
  local state
  lock
  state=$(guard_state)
  case $state in
  armed) begin_rollback switch-did-not-begin ;;
  switching)
    # The end of the switch decides, unless it was missed.
    [[ -n $(switches_at_work) ]] || begin_rollback switch-ended-unseen
    ;;
  switched*) systemctl is-active --quiet "$CONFIRM_UNIT.timer" || begin_rollback not-confirmed ;;
  rolling-back*)
    case $(systemctl is-active "$ROLLBACK_UNIT.service") in
    active | activating | deactivating) ;;
    *) begin_rollback "${state#rolling-back }" ;;
    esac
    ;;
  *)
    [[ $state == rollback-failed* ]] || forget_guard
    disarm
    drop_lease "$(guarded token)"
    ;;
  esac
}

# Ends the timers, and gives nixos-rebuild's unit back to whoever uses it next.
disarm() {
  rm -f "${DROP_IN_FOLDERS[@]/%//nixos-deploy.conf}"
  rmdir "${DROP_IN_FOLDERS[@]}" 2>/dev/null || true
  [[ -e $KEPT_FOLDER ]] || rm -f "$PREVIOUS_ROOT"
  systemctl daemon-reload
  # The last, as it is what comes back here.
  systemctl stop "$CONFIRM_UNIT.timer" "$GUARD_UNIT.timer" 2>/dev/null || true
}

# Where the switch is; asked over new connections while it goes on.
status() {
  say guard "$(guard_state)"
  say previous "$(guarded previous)"
  say system "$(system_now)"
  say profile "$(profile_now)"
  say_units <"$GUARD_FOLDER/units" 2>/dev/null || true
}

# The deployment is here over a new connection, so the way in still works. Until the system has run for so many seconds it
# is only watched; then its units and its own checks decide. Usage: confirm SYSTEM DERIVATION HEALTH-SECONDS
# ALLOW-FAILED-UNITS
confirm() {
  local system=$1 derivation=$2 seconds=$3 allowed=$4 state left
  lock
  state=$(guard_state)
  if [[ $state == switched* && $(guarded system) == "$system" && $(system_now) == "$system" ]]; then
    left=$((seconds + $(guarded switched-at) - $(uptime_seconds)))
    if ((left > 0)); then
      say watching "$left"
    elif ! checks_are_over; then
      say watching 1
    elif units_will_do "$seconds" "$allowed"; then
      set_state "confirmed ${state#switched }"
      forget_guard || true
      disarm || true
      # A full disk must not undo a confirmation.
      forget_rejection "$system" || true
      remember_before "$system" "$(guarded previous)" <"$GUARD_FOLDER/before" || true
      { mkdir -p "$STATE_FOLDER" && put "$DEPLOYED_FILE" "$derivation $system"; } || true
      ! reboot_needed "$system" || say reboot-needed
    else
      begin_rollback "$(what_failed)"
    fi
  fi
  status
}

# The checks that the new system brings along run once, in a unit of their own: they take as long as they say, and neither
# the lock nor a connection lasts as long. Fails while they are at work.
checks_are_over() {
  [[ -x $(guarded system)/etc/nixos-upgrade/checks && ! -e $GUARD_FOLDER/checks ]] || return 0
  case $(systemctl is-active "$CHECKS_UNIT.service") in
  active | activating | deactivating) return 1 ;;
  esac
  # It may have ended while it was asked for.
  [[ ! -e $GUARD_FOLDER/checks ]] || return 0
  # Once: what was ended by its time, or was killed, would be so again.
  if [[ -e $GUARD_FOLDER/checks-began ]]; then
    # Where there is no room for a verdict there is none.
    put "$GUARD_FOLDER/checks" "check:all did not come to an end"
    return
  fi
  put "$GUARD_FOLDER/checks-began" "$(uptime_seconds)"
  # The connection was new, which is what the time is for.
  in_unit "$CONFIRM_UNIT" not_confirmed --on-active="$(($(guarded confirm-seconds) + CHECKS_SECONDS))" \
    --timer-property=AccuracySec=100ms --property=OOMScoreAdjust=-900
  in_unit "$CHECKS_UNIT" run_checks --property=RuntimeMaxSec="$CHECKS_SECONDS"
  return 1
}

run_checks() {
  checks_in_trouble "$(guarded system)" >"$GUARD_FOLDER/checks.new"
  mv -f "$GUARD_FOLDER/checks.new" "$GUARD_FOLDER/checks"
}

# Of what was judged, and not of the file that tells it: there may have been no room for that.
what_failed() {
  if grep '^fault ' <<<"$judged" | grep -qv '^fault check:'; then echo units-failed; else echo checks-failed; fi
}

# Usage: units_will_do SECONDS ALLOW-FAILED-UNITS
units_will_do() {
  judged=$(
    judge_units "$(just_now "$1")" "$(guarded previous)" "$(guarded system)" <"$GUARD_FOLDER/before"
    [[ ! -e $GUARD_FOLDER/checks ]] ||
      judge "$(guarded previous)" "$(guarded system)" "$(cat "$GUARD_FOLDER/before")" <"$GUARD_FOLDER/checks"
  ) || return 1
  # Where there is no room for it, the verdict counts all the same.
  printf '%s\n' "$judged" >"$GUARD_FOLDER/units" || true
  [[ $2 == true ]] || ! grep -q '^fault ' <<<"$judged" || first_deployment
}

# Before it ran the image that the machine was made from, which is no better than a system with units that fail.
first_deployment() {
  [[ ! -e $DEPLOYED_FILE && ! -e $(guarded previous)/etc/nixos-upgrade ]]
}

# The deployment ends without a confirmation and the system is not to blame: nothing is rejected.
# Usage: abandon TOKEN, of the deployment whose guard and lease are meant
abandon() {
  lock
  if [[ $(guarded token) == "$1" ]]; then
    case $(guard_state) in
    armed)
      if [[ $(system_now) == "$(guarded previous)" ]]; then
        restore_profile "$(guarded profile)" "$(guarded generation)" || true
        set_state released
        forget_guard || true
        disarm || true
      else
        # A nixos-rebuild that switches in a unit of another name has passed this guard by.
        begin_rollback interrupted
      fi
      ;;
    switching) : >"$GUARD_FOLDER/abandoned" ;;
    switched*) begin_rollback interrupted ;;
    esac
    case $(guard_state) in
    switching | rolling-back*)
      # The lease ends with the rollback.
      status
      return
      ;;
    esac
  fi
  drop_lease "$1"
  status
}
