#!/usr/bin/env bash
# Runs the machine's own checks (pulumiNixos.upgrade.health.checks), all at once, and prints those that fail, one a line:
# "check:NAME WHAT". Usage: nixos-upgrade-checks FOLDER [once], where the folder has a file for each
#
# A command runs in a unit of its own: what it starts ends with it, and a child that lives on cannot keep the upgrade waiting,
# nor fail the check by taking no notice of a kinder signal.

get() { # FILE PATH; nothing where there is none
  jq -r "$2 // empty" "$1"
}

ask_command() { # NAME COMMAND SECONDS
  local status=0 began=$SECONDS
  systemd-run --quiet --collect --wait --no-ask-password --service-type=exec \
    --unit="nixos-upgrade-check-$1-$$-$RANDOM.service" --property="SyslogIdentifier=nixos-upgrade-check-$1" \
    --property="RuntimeMaxSec=$(($3 + 5))" --property=KillSignal=SIGKILL --property=OOMPolicy=continue \
    --setenv=PATH="$PATH:/run/current-system/sw/bin" --setenv=HOME=/root \
    -- "$(command -v timeout)" --foreground --signal=KILL "$3" "$2" >/dev/null 2>&1 || status=$?
  # One that somebody else has killed, as the kernel where memory is short, has the same exit code as one that ran too long.
  case $status:$((SECONDS - began < $3)) in
  0:*) echo well ;;
  137:0) echo "did not end within $3 s" ;;
  *) echo "ended with exit code $status (journalctl --identifier nixos-upgrade-check-$1)" ;;
  esac
}

ask_url() { # URL STATUS BODY SECONDS
  local code failed=0
  code=$(
    # A body without an end must not fill the memory that /run is.
    ulimit -f 2048
    curl -q --silent --globoff --proto =http,https --max-time "$4" --output "$answer" --write-out '%{http_code}' -- "$1" 2>/dev/null
  ) || failed=$?
  case $failed in
  0) ;;
  28) echo "did not answer within $4 s" && return ;;
  153 | 23) echo "answered more than 2 MiB, or more than /run has room for" && return ;;
  *) echo "does not answer (curl ended with exit code $failed)" && return ;;
  esac
  if [[ $code != "$2" ]]; then
    echo "answered with status $code, not $2"
  elif [[ -n $3 ]] && ! grep --quiet --text --fixed-strings -e "$3" "$answer"; then
    echo "answered without the text that is wanted"
  else
    echo well
  fi
}

# Says "well", or what is wrong. Of what was killed before it said anything nothing is known.
ask() { # FILE
  local command url seconds
  command=$(get "$1" .command) url=$(get "$1" .url) seconds=$(get "$1" .timeoutSeconds)
  if [[ -n $command ]]; then
    ask_command "${1##*/}" "$command" "$seconds"
  else
    ask_url "$url" "$(get "$1" .status)" "$(get "$1" .body)" "$seconds"
  fi
}

check() { # FILE
  local what answer=$answers/${1##*/}
  : >"$answer"
  what=$(ask "$1") || true
  # A request that was lost is no verdict; one that hung is not waited for twice.
  if [[ $again == true && $what != well && $what != *" within "* ]]; then
    sleep 2
    what=$(ask "$1") || true
  fi
  [[ $what == well ]] || printf 'check:%s %s\n' "${1##*/}" "${what:-could not be run}"
}

again=true
[[ ${2:-} != once ]] || again=false
answers=$(mktemp --directory --tmpdir=/run nixos-upgrade-checks.XXXXXX)
trap 'rm -rf "$answers"' EXIT
declare -A runs=()
for file in "$1"/*; do
  [[ -f $file ]] || continue
  check "$file" &
  runs[${file##*/}]=$!
done
# A process of it that was killed has said nothing.
for name in "${!runs[@]}"; do
  wait "${runs[$name]}" || printf 'check:%s could not be run\n' "$name"
done
