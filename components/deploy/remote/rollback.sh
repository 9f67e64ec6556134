# shellcheck shell=bash
# Goes back to the system that ran before a switch: profile, boot loader entry and running system. Runs in a unit that
# systemd starts again when it is killed, so each step may be done twice.

# How long one step of a try may take. An activation waits until a machine has started, which may be never.
ROLLBACK_SECONDS=600

# Also where the state cannot be written any more.
begin_rollback() {
  set_state "rolling-back $1" || true
  # The last to be killed for memory; a child that is killed for it ends the try and not the unit.
  in_unit "$ROLLBACK_UNIT" "rollback $1" --property=Restart=on-failure --property=RestartSec=2 \
    --property=StartLimitIntervalSec=0 --property=OOMScoreAdjust=-900 --property=OOMPolicy=continue ||
    rollback "$1"
}

# Goes on whatever fails, since every step that works helps. Usage: rollback REASON
rollback() {
  local reason=$1 previous profile tries whole=true result=rolled-back
  case $(guard_state) in
  # Killed after it was done.
  rolled-back* | rollback-failed*) ;;
  *)
    previous=$(guarded previous)
    profile=$(guarded profile)
    echo "$reason; going back to $previous"

    # A switch that still runs would keep the next one out.
    systemctl stop "$SWITCH_UNIT*.service" 2>/dev/null || true
    # What only a restart leads to was refused before anything was touched.
    go_back "$previous" "$profile" "$(guarded generation)" "${reason/needs-restart/unless-it-runs}" || whole=false
    tries=$(guarded tries)
    tries=$((${tries:-0} + 1))
    put "$GUARD_FOLDER/tries" "$tries" || tries=$ROLLBACK_TRIES
    if [[ $whole == false ]]; then
      # systemd starts it again.
      ((tries >= ROLLBACK_TRIES)) || exit 1
      result=rollback-failed
    fi

    lock
    case $reason in
    interrupted | restarted | needs-restart | switch-did-not-begin) ;; # says nothing about the system
    *) reject || echo "the rejected system was not recorded" ;;
    esac
    set_state "$result $reason" || true
    echo "$result"
    ;;
  esac
  # What failed is tried once more when the machine starts.
  [[ $(guard_state) == rollback-failed* ]] || forget_guard || true
  disarm || true
  drop_lease "$(guarded token)"
}

# Not in the unit of switches, which a guard keeps shut. Ended with all that it started, as a child may hold the lock that
# the next try needs. Usage: activate SYSTEM ACTION
activate() {
  timeout --kill-after=10 "$ROLLBACK_SECONDS" "$1/bin/switch-to-configuration" "$2"
}

# The automatic upgrade leaves this system alone until the branch has another revision.
reject() {
  mkdir -p "$STATE_FOLDER"
  forget_rejection "$(guarded system)"
  printf '%s %s\n' "$(guarded system)" "$(guarded revision)" >>"$REJECTED_FILE"
}

# Usage: forget_rejection SYSTEM
forget_rejection() {
  local path rest kept=
  [[ -e $REJECTED_FILE ]] || return 0
  while read -r path rest; do
    [[ $path == "$1" ]] || kept+="$path $rest"$'\n'
  done <"$REJECTED_FILE"
  # A full disk must not empty the list.
  printf '%s' "$kept" >"$REJECTED_FILE.new" && mv -f "$REJECTED_FILE.new" "$REJECTED_FILE"
}
