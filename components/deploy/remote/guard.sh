# shellcheck shell=bash
# The way back. Before a switch the deployment arms this guard; unless a new connection confirms the new system in
# time, the machine returns to the system that ran before: profile, boot loader entry and running system.
#
# `arm` leaves a copy of this file on the machine. From then on the machine needs no connection:
#   - the unit in which nixos-rebuild switches calls `switch_begins` and `switch_ends`, by a drop-in of that unit,
#   - a failed switch rolls back at once,
#   - after a good one the timer nixos-deploy-confirm runs, and rolls back when it elapses,
#   - the timer nixos-deploy-guard does so when no switch ever begins.
# To see what happened: `cat /run/nixos-deploy/guard/state`, `journalctl -u 'nixos-deploy-*'`.

SWITCH_UNIT=nixos-rebuild-switch-to-configuration
# For a time nixos-rebuild added a random suffix to the unit's name; systemd reads the second folder for all of those.
DROP_IN_FOLDERS=("/run/systemd/system/$SWITCH_UNIT.service.d" "/run/systemd/system/$SWITCH_UNIT-.service.d")
PREVIOUS_ROOT=/nix/var/nix/gcroots/nixos-deploy-previous

guarded() {
  get "$GUARD_FOLDER/$1"
}

set_state() {
  put "$GUARD_FOLDER/state" "$1"
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
  if [[ $(lease_token) != "$token" ]]; then
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

  rm -rf "$GUARD_FOLDER"
  mkdir -p "$GUARD_FOLDER"
  put "$GUARD_FOLDER/token" "$token"
  put "$GUARD_FOLDER/system" "$system"
  put "$GUARD_FOLDER/previous" "$previous"
  put "$GUARD_FOLDER/profile" "$(profile_now)"
  # Such as system-41-link.
  put "$GUARD_FOLDER/generation" "$(readlink "$SYSTEM_PROFILE" || true)"
  put "$GUARD_FOLDER/revision" "$revision"
  put "$GUARD_FOLDER/confirm-seconds" "$confirm_seconds"
  put "$GUARD_FOLDER/bash" "$(readlink -f "$BASH")"
  # The tools of the system that is known to work come first: the new one may lack them.
  put "$GUARD_FOLDER/path" "$previous/sw/bin:$PATH"
  put "$GUARD_FOLDER/guard.sh" "$script"
  # A system that was only tested is in no profile.
  ln -sfn "$previous" "$PREVIOUS_ROOT"

  mkdir -p "${DROP_IN_FOLDERS[@]}"
  # A switch that this guard does not expect does not begin, and none takes longer than it may.
  tee "${DROP_IN_FOLDERS[@]/%//nixos-deploy.conf}" >/dev/null <<EOF
[Service]
ExecStartPre=$(guarded bash) $GUARD_FOLDER/guard.sh switch_begins
ExecStopPost=$(guarded bash) $GUARD_FOLDER/guard.sh switch_ends
RuntimeMaxSec=$switch_seconds
TimeoutStopSec=10
EOF
  systemctl daemon-reload
  in_unit nixos-deploy-guard expire --on-active="$((switch_seconds + confirm_seconds))" --timer-property=AccuracySec=1s
  # The guard gives the lease back when it ends, so it may last.
  write_lease "$token" "$((switch_seconds + confirm_seconds + 120))" "$holder"
  set_state armed
  say armed "$previous"
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
  elif [[ $EXIT_CODE == exited && ($EXIT_STATUS == 0 || $EXIT_STATUS == 4) ]]; then
    set_state "switched $EXIT_STATUS"
    in_unit nixos-deploy-confirm expire --on-active="$(guarded confirm-seconds)" --timer-property=AccuracySec=100ms
    systemctl stop nixos-deploy-guard.timer
  elif [[ $SERVICE_RESULT == timeout ]]; then
    begin_rollback switch-took-too-long
  else
    begin_rollback "switch-failed-with-$EXIT_STATUS"
  fi
}

switches_at_work() {
  systemctl list-units --state=active,activating,deactivating --plain --no-legend "$SWITCH_UNIT*.service"
}

# A timer has elapsed.
expire() {
  lock
  case $(guard_state) in
  armed) begin_rollback switch-did-not-begin ;;
  switching)
    # The end of the switch decides, unless it was missed.
    [[ -n $(switches_at_work) ]] || begin_rollback switch-ended-unseen
    ;;
  switched*) begin_rollback not-confirmed ;;
  esac
}

begin_rollback() {
  set_state "rolling-back $1"
  in_unit nixos-deploy-rollback "rollback $1"
}

# Goes on whatever fails, since every step that works helps. Usage: rollback REASON
rollback() {
  local reason=$1 previous profile result=rolled-back
  previous=$(guarded previous)
  profile=$(guarded profile)
  echo "$reason; going back to $previous"

  # A switch that still runs would keep the next one out.
  systemctl stop "$SWITCH_UNIT*.service" 2>/dev/null || true
  restore_profile || echo "the profile was not restored"
  # The boot loader first: it is quick, and from then on a restart of the machine helps too.
  "$profile/bin/switch-to-configuration" boot || echo "the boot loader's entry was not restored"
  # Units that fail (exit code 4) are no reason to stay on the rejected system.
  "$previous/bin/switch-to-configuration" test || echo "switch-to-configuration exited with $?"
  if [[ $(system_now) != "$previous" || $(profile_now) != "$profile" ]]; then
    result=rollback-failed
  fi

  lock
  case $reason in
  interrupted | switch-did-not-begin) ;; # says nothing about the system
  *) reject || echo "the rejected system was not recorded" ;;
  esac
  disarm || true
  set_state "$result $reason"
  drop_lease "$(guarded token)"
  echo "$result"
}

# nixos-rebuild sets the profile before it activates, and leaves it so when the activation fails.
restore_profile() {
  local generation
  generation=$(guarded generation)
  [[ $(profile_now) != "$(guarded profile)" ]] || return 0
  if [[ $generation =~ ^system-([0-9]+)-link$ && -e ${SYSTEM_PROFILE%/*}/$generation ]]; then
    nix-env --profile "$SYSTEM_PROFILE" --switch-generation "${BASH_REMATCH[1]}"
  else
    nix-env --profile "$SYSTEM_PROFILE" --set "$(guarded profile)"
  fi
}

# The automatic upgrade leaves this system alone until the branch has another revision.
reject() {
  mkdir -p "$STATE_FOLDER"
  forget_rejection "$(guarded system)"
  printf '%s %s\n' "$(guarded system)" "$(guarded revision)" >>"$STATE_FOLDER/rejected"
}

# Usage: forget_rejection SYSTEM
forget_rejection() {
  local path rest kept=
  [[ -e $STATE_FOLDER/rejected ]] || return 0
  while read -r path rest; do
    [[ $path == "$1" ]] || kept+="$path $rest"$'\n'
  done <"$STATE_FOLDER/rejected"
  printf '%s' "$kept" >"$STATE_FOLDER/rejected.new"
  mv -f "$STATE_FOLDER/rejected.new" "$STATE_FOLDER/rejected"
}

# Ends the timers, and gives nixos-rebuild's unit back to whoever uses it next.
disarm() {
  systemctl stop nixos-deploy-guard.timer nixos-deploy-confirm.timer 2>/dev/null || true
  rm -f "${DROP_IN_FOLDERS[@]/%//nixos-deploy.conf}" "$PREVIOUS_ROOT"
  rmdir "${DROP_IN_FOLDERS[@]}" 2>/dev/null || true
  systemctl daemon-reload
}

# Where the switch is; asked over new connections while it goes on.
status() {
  say guard "$(guard_state)"
  say previous "$(guarded previous)"
  say system "$(system_now)"
  say profile "$(profile_now)"
}

# The deployment is here over a new connection, so the way in still works. Usage: confirm SYSTEM DERIVATION
confirm() {
  local state unit
  lock
  state=$(guard_state)
  if [[ $state == switched* && $(guarded system) == "$1" && $(system_now) == "$1" ]]; then
    disarm || true
    set_state "confirmed ${state#switched }"
    # A full disk must not undo a confirmation.
    forget_rejection "$1" || true
    { mkdir -p "$STATE_FOLDER" && put "$STATE_FOLDER/deployed" "$2 $1"; } || true
  fi
  systemctl list-units --state=failed --no-legend --plain | while read -r unit _; do
    say failed-unit "$unit"
  done
  status
}

# The deployment ends without a confirmation and the system is not to blame: nothing is rejected.
# Usage: abandon TOKEN, of the deployment whose guard and lease are meant
abandon() {
  lock
  if [[ $(guarded token) == "$1" ]]; then
    case $(guard_state) in
    armed)
      if [[ $(system_now) == "$(guarded previous)" ]]; then
        restore_profile || true
        disarm || true
        set_state released
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
