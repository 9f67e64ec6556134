# shellcheck shell=bash
# Goes back to the system that ran before a switch: profile, boot loader entry and running system. Runs in a unit that
# systemd starts again when it is killed, so each step may be done twice.

# How often a rollback is tried before it counts as failed.
ROLLBACK_TRIES=5
# How long one step of a try may take. An activation waits until a machine has started, which may be never.
ROLLBACK_SECONDS=600

# Also where the state cannot be written any more.
begin_rollback() {
  set_state "rolling-back $1" || true
  # The last to be killed for memory; a child that is killed for it ends the try and not the unit.
  in_unit nixos-deploy-rollback "rollback $1" --property=Restart=on-failure --property=RestartSec=2 \
    --property=StartLimitIntervalSec=0 --property=OOMScoreAdjust=-900 --property=OOMPolicy=continue ||
    rollback "$1"
}

# Goes on whatever fails, since every step that works helps. Usage: rollback REASON
rollback() {
  local reason=$1 previous profile tries whole=true status=0 result=rolled-back
  case $(guard_state) in
  # Killed after it was done.
  rolled-back* | rollback-failed*) ;;
  *)
    previous=$(guarded previous)
    profile=$(guarded profile)
    echo "$reason; going back to $previous"

    # A switch that still runs would keep the next one out.
    systemctl stop "$SWITCH_UNIT*.service" 2>/dev/null || true
    restore_profile || echo "the profile was not restored"
    # The boot loader first: it is quick, and from then on a restart of the machine helps too.
    limited "$profile/bin/switch-to-configuration" boot || {
      whole=false
      echo "the boot loader's entry was not restored"
    }
    # What only a restart leads to was refused before anything was touched.
    [[ $reason == needs-restart && $(system_now) == "$previous" ]] ||
      limited "$previous/bin/switch-to-configuration" test || status=$?
    # Units that fail (exit code 4) are no reason to stay on the rejected system.
    [[ $status == 0 || $status == 4 ]] || {
      whole=false
      echo "switch-to-configuration exited with $status"
    }
    [[ $(system_now) == "$previous" && $(profile_now) == "$profile" ]] || whole=false
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

# With all that it started, as a child may hold the lock that the next try needs.
limited() {
  timeout --kill-after=10 "$ROLLBACK_SECONDS" "$@"
}

# nixos-rebuild sets the profile before it activates, and leaves it so when the activation fails.
restore_profile() {
  local generation target
  target=$(guarded profile)
  generation=$(guarded generation)
  [[ $(profile_now) != "$target" ]] || return 0
  if [[ $generation =~ ^system-([0-9]+)-link$ && -e ${SYSTEM_PROFILE%/*}/$generation ]]; then
    ! nix-env --profile "$SYSTEM_PROFILE" --switch-generation "${BASH_REMATCH[1]}" || return 0
    target=$generation
  else
    ! nix-env --profile "$SYSTEM_PROFILE" --set "$target" || return 0
  fi
  # Nix writes to its database, which a full disk forbids.
  ln -sfn "$target" "$SYSTEM_PROFILE.new" && mv -Tf "$SYSTEM_PROFILE.new" "$SYSTEM_PROFILE"
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
  # A full disk must not empty the list.
  printf '%s' "$kept" >"$STATE_FOLDER/rejected.new" && mv -f "$STATE_FOLDER/rejected.new" "$STATE_FOLDER/rejected"
}
