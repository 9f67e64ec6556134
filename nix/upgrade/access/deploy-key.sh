# shellcheck shell=bash
# shellcheck disable=SC2034 # variables for the scripts that source this one
# By SSH, with the machine's own key, which is a deploy key of its repository. See the end of repository.sh.

# The commits of the branch, and nothing else. A cache: it can be removed at any time.
HISTORY=$UPGRADE_STATE/history.git
HISTORY_SECONDS=${UPGRADE_HISTORY_SECONDS:-300}
COMMITS=$HISTORY

ask_branch() {
  local list status=0 revision
  list=$(mktemp) || answer_failing "$(trouble disk machine "No temporary file can be made: is the disk full?")"
  # shellcheck disable=SC2064 # the file of this call
  trap "rm -f '$list'" EXIT
  # All branches: git can only be asked for names that end alike.
  explained "$list" timeout "$REQUEST_SECONDS" git ls-remote --heads "$UPGRADE_REMOTE" || answer_failing "$TROUBLE"
  revision=$(revision_in "$UPGRADE_BRANCH" "$list") || status=$?
  case $status in
  0) answer_revision "$revision" ;;
  1) answer_waiting "$(head -n 10 "$list" | sed 's|^[^\t]*\trefs/heads/||' | tr -d '\000-\011\013-\037\177')" ;;
  *) answer_failing "$revision" ;;
  esac
}

# From the list of a repository's branches, one "hash<TAB>name" a line. `git ls-remote URL refs/heads/main` would list
# refs/heads/a/refs/heads/main too: it matches by the tail of a name, and whoever may push any branch may push that one.
# Prints the revision, or the trouble; 1: there is no such branch.
revision_in() { # BRANCH FILE
  local hash ref lines=()
  while IFS=$'\t' read -r hash ref; do
    [[ $ref != "refs/heads/$1" ]] || lines+=("$hash")
    # The first look is for speed: a repository may have thousands of branches.
  done < <(grep -aF -e "refs/heads/$1" "$2")
  case ${#lines[@]} in
  0) return 1 ;;
  1) ;;
  *)
    trouble revision machine "The repository's server names ${#lines[@]} revisions for refs/heads/$1; exactly one is expected. Nothing is installed."
    return 2
    ;;
  esac
  if ! is_revision "${lines[0]}"; then
    trouble revision machine "The repository's server says that refs/heads/$1 is at \"$(quotable <<<"${lines[0]}")\", which is no revision. Nothing is installed."
    return 2
  fi
  echo "${lines[0]}"
}

# The commits of the branch, by its exact name, without files. `git fetch` would make a partial clone of it, which fetches
# what it lacks when it is asked for it, and would take refs/heads/refs/heads/main where there is no main.
fetch_history() { # FOLDER
  local TIME_LIMIT=$HISTORY_SECONDS line
  rm -f "$1"/objects/pack/tmp_*
  explained "$1/fetched" timeout --kill-after=10 "$HISTORY_SECONDS" \
    git --git-dir="$1" fetch-pack --quiet --filter=tree:0 "$UPGRADE_REMOTE" "refs/heads/$UPGRADE_BRANCH" || return
  line=$(<"$1/fetched")
  [[ $line == *" refs/heads/$UPGRADE_BRANCH" ]] &&
    explained /dev/null in_history "$1" update-ref refs/heads/branch "${line%% *}"
}

leads_on_in() { # FOLDER FROM TO
  local status=0
  # One that an older version of this program made fetches what it lacks.
  if [[ ! -d $1 ]] || grep -qiE 'promisor|partialclone' "$1/config" 2>/dev/null; then return 2; fi
  fetch_history "$1" || return
  if ! in_history "$1" merge-base --is-ancestor "$3" refs/heads/branch 2>/dev/null; then
    unknown "$(trouble moving server "The branch moved away from $(short "$3") while its history was fetched; the next poll looks again.")"
    return
  fi
  in_history "$1" cat-file -e "$2^{commit}" 2>/dev/null || return 1
  in_history "$1" merge-base --is-ancestor "$2" "$3" 2>/dev/null || status=$?
  ((status <= 1)) || unknown "$(trouble error machine "The commits in $1 cannot be read.")" || return
  return $status
}

# The folder is a cache that a full disk, a power cut or a kill may have left in any state: only a yes is believed, and
# whatever else it says is asked again of a new one, which takes its place when it could answer.
leads_on() {
  local answer=0 new=$HISTORY.new
  if leads_on_in "$HISTORY" "$1" "$2"; then
    rm -rf "$new"
    return 0
  fi
  make_history "$new" "$2" || return
  leads_on_in "$new" "$1" "$2" || answer=$?
  if ((answer < 2)); then
    rm -rf "$HISTORY" && mv "$new" "$HISTORY" ||
      unknown "$(trouble disk machine "$HISTORY cannot be replaced: is the disk full, or is it not ours to write?")" || return
  else
    rm -rf "$new"
  fi
  return $answer
}

has_commit() { # REVISION
  leads_on "$1" "$1" || {
    (($? == 2)) || unknown "$(trouble moving server "The commit $(short "$1") was not found on the branch; the next poll looks again.")"
    return 2
  }
}

forget_requests() { :; }
