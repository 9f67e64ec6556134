# shellcheck shell=bash
# What runs, what boots, and the way back: the one rule of the automatic upgrade and of deployments.

SYSTEM_PROFILE=/nix/var/nix/profiles/system
# How often its callers try to go back before that counts as failed.
# shellcheck disable=SC2034
ROLLBACK_TRIES=5

system_now() {
  readlink -f /run/current-system || true
}

profile_now() {
  readlink -f "$SYSTEM_PROFILE" || true
}

# The profile's link, such as system-41-link.
generation_now() {
  readlink "$SYSTEM_PROFILE" || true
}

# Whether a system was activated, by the exit code of its switch-to-configuration: also where units failed (4).
activated() {
  [[ $1 == 0 || $1 == 4 ]]
}

# Whether that exit code says that only a restart leads there: nothing was touched then.
needs_restart() {
  [[ $1 == 100 ]]
}

# One try to go back to a system; whatever fails, it goes on, since every step that works helps. Each may be done twice.
# Whoever calls it has `activate SYSTEM ACTION`, bounded in time. Says what failed, and fails with it.
# Usage: go_back SYSTEM PROFILE GENERATION [unless-it-runs]
go_back() {
  local system=$1 profile=$2 status=0 whole=true
  restore_profile "$profile" "$3" || echo "the profile was not restored" >&2
  # The boot loader first: it is quick, and from then on a restart of the machine helps too.
  activate "$profile" boot || {
    whole=false
    echo "the boot loader's entry was not restored" >&2
  }
  [[ ${4-} == unless-it-runs && $(system_now) == "$system" ]] || activate "$system" test || status=$?
  # Units that fail are no reason to stay on the rejected system.
  activated "$status" || {
    whole=false
    echo "switch-to-configuration exited with $status" >&2
  }
  [[ $whole == true && $(system_now) == "$system" && $(profile_now) == "$profile" ]]
}

# nixos-rebuild sets the profile before it activates, and leaves it so when the activation fails.
# Usage: restore_profile SYSTEM GENERATION
restore_profile() {
  local target=$1 generation=$2
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

# Whether a system's kernel or first programs are others than those that were started.
# Usage: reboot_needed SYSTEM
reboot_needed() {
  local part booted
  for part in kernel kernel-modules initrd; do
    booted=$(readlink -e "/run/booted-system/$part") || continue
    [[ $booted == "$(readlink -f "$1/$part")" ]] || return 0
  done
  return 1
}
