# shellcheck shell=bash
# Are a machine's units well? The one rule of the automatic upgrade and of deployments.

# Units in trouble, one a line: "UNIT WHAT". A unit is in trouble when it has failed, when it died and waits to be
# started again or to end (systemd does not call that failed), or when it was started again within the last SECONDS or is
# not up since. One that crashed once while its database started, and has run since, is well.
# Usage: units_in_trouble SECONDS [RESTARTS that it takes]
units_in_trouble() {
  local seconds=$1 least=${2:-1} now line name value
  local -A unit=()
  # Microseconds since the boot: a clock that is set must not change the answer.
  read -r now _ </proc/uptime
  now=${now/./}0000
  while IFS= read -r line; do
    if [[ -n $line ]]; then
      name=${line%%=*} value=${line#*=}
      unit[$name]=$value
      continue
    fi
    describe_trouble "$((now - seconds * 1000000))" "$least"
    unit=()
  done < <(
    show_units || { sleep 1 && show_units; } || printf '\nId=init.scope\nActiveState=unknown\n'
    printf '\n'
  )
}

show_units() {
  systemctl show --property=Id,ActiveState,SubState,Result,NRestarts,ExecMainStartTimestampMonotonic '*' 2>/dev/null
}

# Usage: describe_trouble SINCE RESTARTS, with the properties of one unit in `unit`
describe_trouble() {
  local id=${unit[Id]-} restarts=${unit[NRestarts]-0} started=${unit[ExecMainStartTimestampMonotonic]-0}
  case $id in
  # The upgrade's own units fail while it is behind, which is about to be over; the deployment's are not the system's.
  '' | nixos-upgrade* | nixos-deploy* | nixos-rebuild-switch-to-configuration*) return ;;
  esac
  if [[ ${unit[ActiveState]-} == failed ]]; then
    printf '%s has failed\n' "$id"
  elif [[ ${unit[ActiveState]-} == unknown ]]; then
    # Of the others nothing is known then.
    printf '%s does not answer\n' "$id"
  elif [[ ${unit[SubState]-} == auto-restart* ]]; then
    printf '%s dies and is started again\n' "$id"
  elif [[ ${unit[ActiveState]-} == deactivating && ${unit[Result]-success} != success ]]; then
    # It counts as failed only when what runs after its death has ended.
    printf '%s has died\n' "$id"
  elif ((restarts >= $2)) && [[ ${unit[ActiveState]-} == activating || $started -gt $1 ]]; then
    printf '%s was started again just now\n' "$id"
  fi
}

# Names of the units and checks in trouble before a switch. A unit that is started again every few minutes was in trouble
# too; one that crashed once while its database started was not, and is to blame for what it does now.
trouble_before() {
  local name
  while read -r name _; do printf '%s\n' "$name"; done < <(
    units_in_trouble 600 2
    checks_in_trouble "$(system_now)" once
  )
}

# What a system makes of a unit: its file, its template's, what is dropped in, and the configuration and scripts that those
# name. Without the hashes and versions of the store: an update of nixpkgs has others in each unit, and changes nothing.
# Usage: unit_text UNIT SYSTEM
unit_text() {
  local name file names=("$1") files=()
  [[ $1 != *@* ]] || names+=("${1%%@*}@.${1##*.}")
  for name in "${names[@]}"; do
    for file in "$2/etc/systemd/system/$name" "$2/etc/systemd/system/$name.d"/*.conf; do
      [[ ! -f $file ]] || files+=("$file")
    done
  done
  text_with_what_it_names 3 "${files[@]}"
}

# Usage: text_with_what_it_names DEPTH FILE…
text_with_what_it_names() {
  local depth=$1 path named=()
  local -A seen=()
  shift
  (($# > 0)) || return 0
  sed -E 's#/nix/store/[0-9a-z]{32}((-[^-0-9/:;[:space:]"][^-/:;[:space:]"]*)*)(-[0-9][^/:;[:space:]"]*)?#/nix/store/\1#g' "$@"
  ((depth > 0)) || return 0
  # A program is told by its name; what is text says what is done. In the order of the text, as hashes have none.
  while IFS= read -r path; do
    [[ -z ${seen[$path]-} && ${#named[@]} -lt 100 ]] || continue
    seen[$path]=1
    [[ ! -f $path ]] || ! grep -qI . "$path" || named+=("$path")
  done < <(cat "$@" | grep -aoE '/nix/store/[0-9a-z]{32}-[A-Za-z0-9+._?=/@-]+')
  text_with_what_it_names "$((depth - 1))" "${named[@]}"
}

# The units in trouble after a switch from one system to another: "fault UNIT WHAT", or "known UNIT WHAT" for those that
# were in trouble before and are what they were. Those are no fault of the new system: one long-broken unit would keep
# every later system out, the one that mends it too.
# Usage: judge_units SECONDS OLD NEW, names of the units in trouble before on standard input
judge_units() {
  judge "$2" "$3" "$(cat)" < <(units_in_trouble "$1")
}

# The same of anything that is in trouble. Usage: judge OLD NEW NAMES, "NAME WHAT" of each on standard input
judge() {
  local before=$'\n'$3$'\n' name what
  while read -r name what; do
    # An old system that was collected cannot be compared any more.
    if [[ $before == *$'\n'"$name"$'\n'* ]] &&
      [[ ! -e $1 || $(text_of "$name" "$1") == "$(text_of "$name" "$2")" ]]; then
      printf 'known %s %s\n' "$name" "$what"
    else
      printf 'fault %s %s\n' "$name" "$what"
    fi
  done
}

# Usage: text_of NAME SYSTEM
text_of() {
  case $1 in
  check:*) check_text "${1#check:}" "$2" ;;
  *) unit_text "$1" "$2" ;;
  esac
}

# Keeps what was in trouble before a system came, for whoever asks later. A full disk only loses that.
# Usage: remember_before NEW OLD, names on standard input
remember_before() {
  local file=$BEFORE_FILE names
  names=$(cat)
  mkdir -p "${file%/*}" && printf '%s %s\n%s\n' "$1" "$2" "$names" >"$file.new" && mv -f "$file.new" "$file"
}

# The same judgement of the system that runs, at any later time. Usage: judge_units_now SECONDS
judge_units_now() {
  local current new='' old='' names=''
  current=$(readlink -f /run/current-system)
  if [[ -e $BEFORE_FILE ]]; then
    {
      read -r new old
      names=$(cat)
    } <"$BEFORE_FILE"
  fi
  # Otherwise it came in another way.
  [[ $new == "$current" ]] || old=$current names=
  judge_units "$1" "$old" "$current" <<<"$names"
}

# How long ago a restart counts as just now, where a system has so many seconds to become healthy.
# Usage: just_now SECONDS
just_now() {
  local seconds=$(($1 / 3))
  ((seconds >= 1)) || seconds=1
  ((seconds <= 20)) || seconds=20
  printf '%s' "$seconds"
}
