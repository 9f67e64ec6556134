#!/usr/bin/env bash
# shellcheck disable=SC2034 # variables for the scripts that source this one
# What the repository says, for the scripts of this folder: which revision the branch is at, whether it leads on from
# another one, whether a commit is signed. Whatever is installed as root is decided by these answers. So they are about the
# exact branch of the exact repository, or they are none.
#
# A function that cannot answer leaves the reason in TROUBLE (see trouble.sh) and returns 2; 1 is a "no".

# shellcheck source=/dev/null
source "$UPGRADE_TROUBLE"

# The commits of the branch, and nothing else. A cache: it can be removed at any time.
HISTORY=$UPGRADE_STATE/history.git
HISTORY_SECONDS=${UPGRADE_HISTORY_SECONDS:-300}
TROUBLE=

is_revision() {
  [[ $1 =~ ^([0-9a-f]{40}|[0-9a-f]{64})$ ]]
}

unknown() { # TROUBLE
  TROUBLE=$1
  return 2
}

# Runs a git command with its standard error in a file, and explains a failure.
explained() { # FILE FOR ITS STANDARD OUTPUT, COMMAND…
  local output=$1 status=0 errors
  shift
  errors=$(mktemp) || unknown "$(trouble disk machine "No temporary file can be made: is the disk full?")" || return
  "$@" >"$output" 2>"$errors" || status=$?
  [[ $status == 0 ]] || TROUBLE=$(git_trouble "$status" "$errors")
  rm -f "$errors"
  [[ $status == 0 ]] || return 2
}

# --- Which revision ---------------------------------------------------------------------------------------------------

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

# From GitHub's answer to git/ref/heads/BRANCH. It may be a list of what begins alike, and a branch may be named like a tag.
revision_from() { # BRANCH BODY
  local answer revision
  answer=$(jq -r --arg ref "refs/heads/$1" '
    if type != "object" then "GitHub answers with \(if type == "array" then "a list of \(length)" else "a \(type)" end) in place of one reference"
    elif .ref != $ref then "GitHub answers with \(.ref | tojson) in place of \($ref)"
    elif .object.type? != "commit" then "\($ref) is at a \(.object.type? | tojson) and not at a commit"
    elif (.object.sha | type) != "string" or (.object.sha | test("[^0-9a-f]")) then
      "\($ref) is said to be at \(.object.sha | tojson), which is no revision"
    else "=\(.object.sha)" end' "$2" 2>/dev/null) || answer=
  if [[ -z $answer ]]; then
    trouble error machine "GitHub's answer is not a revision. Does something else answer in its place?"
    return 2
  fi
  revision=${answer#=}
  if [[ $answer != =* ]]; then
    trouble revision machine "$(quotable <<<"$answer"). Nothing is installed."
    return 2
  fi
  if ! is_revision "$revision"; then
    trouble revision machine "GitHub says that refs/heads/$1 is at \"$(quotable <<<"$revision")\", which is no revision. Nothing is installed."
    return 2
  fi
  echo "$revision"
}

# --- GitHub's REST API ------------------------------------------------------------------------------------------------

# A renamed or transferred repository answers with its number. That is followed, once, and only to a repository of the
# same server; MOVED then says what it is called now.
MOVED=
NUMBERED=

# One request about the repository. Sets CODE, HEADERS and BODY; fails where GitHub gave no answer.
github() { # PATH BELOW THE REPOSITORY
  local server=${UPGRADE_REMOTE%%/repos/*} location number name
  github_request "${NUMBERED:-$UPGRADE_REMOTE}$1" || return
  [[ -z $NUMBERED && $CODE =~ ^30[1278]$ ]] || return 0
  location=$(response_header "$HEADERS" location)
  [[ $location == "$server"/repositories/* && ${location#"$server"/repositories/} =~ ^([0-9]{1,18})(/|$) ]] || return 0
  number=${BASH_REMATCH[1]}
  NUMBERED=$server/repositories/$number
  github_request "$NUMBERED" || return
  name=$(jq -r '.full_name | strings' "$BODY" 2>/dev/null) || name=
  [[ $name =~ ^[A-Za-z0-9_-]{1,60}/[A-Za-z0-9._-]{1,100}$ ]] || name="number $number"
  MOVED=$name
  github_request "$NUMBERED$1"
}

github_request() { # URL
  local token status=0
  token=$(access_token)
  if [[ -z $token ]]; then
    unknown "$(trouble no-token machine "The machine has no token to read the repository with: see nixos-upgrade-token.service.")"
    return
  fi
  if [[ -z ${GITHUB_FOLDER:-} ]]; then
    GITHUB_FOLDER=$(mktemp -d) || {
      unknown "$(trouble disk machine "No temporary folder can be made: is the disk full?")"
      return
    }
    HEADERS=$GITHUB_FOLDER/headers BODY=$GITHUB_FOLDER/body
  fi
  : >"$HEADERS" && : >"$BODY"
  # The token goes in by standard input: arguments can be read by every user of the machine.
  CODE=$(curl --silent --show-error --connect-timeout 10 --max-time "$REQUEST_SECONDS" --config - \
    --dump-header "$HEADERS" --output "$BODY" --write-out '%{http_code}' \
    --header 'Accept: application/vnd.github+json' --header 'X-GitHub-Api-Version: 2022-11-28' \
    "$1" 2>"$GITHUB_FOLDER/errors" <<<"header = \"Authorization: Bearer $token\"") || status=$?
  [[ $status == 0 ]] || unknown "$(curl_trouble "$status" "$GITHUB_FOLDER/errors")"
}

forget_requests() {
  [[ -z ${GITHUB_FOLDER:-} ]] || rm -rf "$GITHUB_FOLDER"
}

# The reason why the last request was not answered as hoped.
github_refused() {
  unknown "$(github_trouble "$CODE" "$HEADERS" "$BODY")"
}

# --- Leading on -------------------------------------------------------------------------------------------------------

# Whether the branch leads on from one revision to another, which is on the branch. 0: yes; 1: no; 2: it could not be told.
leads_on() { # FROM TO
  if [[ $UPGRADE_ACCESS == token ]]; then leads_on_by_rest "$1" "$2"; else leads_on_by_git "$1" "$2"; fi
}

leads_on_by_rest() {
  local status
  github "/compare/$1...$2" || return
  case $CODE in
  200)
    # What both sides have in common must be the one that it is to lead on from: the word alone is not believed.
    status=$(jq -r --arg from "$1" '"\(.status) \(.merge_base_commit.sha == $from)"' "$BODY" 2>/dev/null) || status=
    case $status in
    "ahead true" | "identical true") return 0 ;;
    "behind false" | "diverged false") return 1 ;;
    *) unknown "$(trouble server server "GitHub's comparison of $(short "$1") and $(short "$2") is not one.")" ;;
    esac
    ;;
  404)
    # The first is no part of the repository any more, or they have nothing in common; or the token lost its access.
    ! jq -e '.message | strings | test("No common ancestor")' "$BODY" >/dev/null 2>&1 || return 1
    github "/git/commits/$2" || return
    [[ $CODE != 200 ]] || return 1
    github_refused
    ;;
  *) github_refused ;;
  esac
}

# A question to the folder with the commits. Nothing may make git fetch a commit that it lacks on the way, from wherever the
# server finds it: that would be an answer about what anybody pushed, and not about the branch.
in_history() { # FOLDER, GIT COMMAND…
  local folder=$1
  shift
  GIT_NO_LAZY_FETCH=1 GIT_NO_REPLACE_OBJECTS=1 GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null \
    git -c core.commitGraph=false --git-dir="$folder" "$@"
}

make_history() { # FOLDER, A REVISION of the same kind of hash
  local format=sha1
  ((${#2} == 40)) || format=sha256
  rm -rf "$1" && explained /dev/null git init --quiet --bare --object-format="$format" --template= "$1"
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
leads_on_by_git() {
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

# --- Signatures -------------------------------------------------------------------------------------------------------

# Whether a commit of the branch is signed by a key that this system trusts. 0: yes; 1: no, and TROUBLE says what was found;
# 2: it could not be told. GitHub's own "verified" is not asked: it would be GitHub's word, about GitHub's list of keys.
signed() { # REVISION
  local folder status=0
  if [[ $UPGRADE_ACCESS == token ]]; then
    folder=$(mktemp -d) || unknown "$(trouble disk machine "No temporary folder can be made: is the disk full?")" || return
    rebuild_commit "$folder" "$1" || status=$?
    [[ $status != 0 ]] || verify_signature "$folder" "$1" || status=$?
    rm -rf "$folder"
    return $status
  fi
  leads_on_by_git "$1" "$1" || {
    (($? == 2)) || unknown "$(trouble moving server "The commit $(short "$1") was not found on the branch; the next poll looks again.")"
    return 2
  }
  verify_signature "$HISTORY" "$1"
}

# The commit itself out of what GitHub tells of it. Its hash shows that it is the one: a signature of another commit of the
# same person must not do.
rebuild_commit() { # FOLDER REVISION
  local found
  github "/git/commits/$2" || return
  [[ $CODE == 200 ]] || {
    github_refused
    return
  }
  if ! jq -e '.verification | (.payload | type) == "string" and (.signature | type) == "string"' "$BODY" >/dev/null 2>&1; then
    TROUBLE=$(trouble unsigned machine "the commit is not signed")
    return 1
  fi
  make_history "$1" "$2" || return
  # Git puts the signature at the end of the headers, its later lines indented.
  found=$(jq -j --arg header "$( ((${#2} == 40)) && echo gpgsig || echo gpgsig-sha256)" '.verification
    | (.payload | split("\n\n")) as $parts
    | $parts[0] + "\n" + $header + " " + (.signature | rtrimstr("\n") | gsub("\n"; "\n ")) + "\n\n" + ($parts[1:] | join("\n\n"))' "$BODY" |
    in_history "$1" hash-object -w -t commit --stdin 2>/dev/null) || found=
  [[ $found == "$2" ]] || {
    TROUBLE=$(trouble unsigned machine "the signature that GitHub shows is not of this commit")
    return 1
  }
}

verify_signature() { # FOLDER REVISION
  local home words status=0
  home=$(mktemp -d) || unknown "$(trouble disk machine "No temporary folder can be made: is the disk full?")" || return
  # A keyring of its own, with GitHub's key or none: a key that root once imported is in no list.
  [[ -z $UPGRADE_GITHUB_SIGNING_KEY ]] ||
    GNUPGHOME=$home "$UPGRADE_GPG" --batch --quiet --import "$UPGRADE_GITHUB_SIGNING_KEY" 2>"$home/errors" || true
  GNUPGHOME=$home in_history "$1" -c gpg.ssh.allowedSignersFile="$UPGRADE_ALLOWED_SIGNERS" -c gpg.ssh.program=ssh-keygen \
    -c gpg.program="$UPGRADE_GPG" -c gpg.openpgp.program="$UPGRADE_GPG" -c gpg.x509.program=false \
    verify-commit "$2" >"$home/output" 2>"$home/errors" || status=$?
  words=$(cat "$home/output" "$home/errors" | quotable)
  rm -rf "$home"
  [[ $status != 0 ]] || return 0
  TROUBLE=$(trouble unsigned machine "${words:-the commit is not signed}")
  return 1
}
