# shellcheck shell=bash
# shellcheck disable=SC2034 # variables for the scripts that source this one
# By GitHub's REST API, with a personal access token. See the end of repository.sh.

# The header names a time such as "2026-12-22 10:00:00 UTC"; no header, no end.
token_expires() {
  local text
  text=$(response_header "$HEADERS" github-authentication-token-expiration)
  if [[ -n $text ]]; then date --date "$text" +%s 2>/dev/null || echo null; else echo null; fi
}

ask_branch() {
  # A secret that was changed is taken up here: from NixOS 26.11 on, a switch no longer restarts the service that does it
  # for sops-nix.
  [[ -z $UPGRADE_TOKEN_FILE ]] || nixos-upgrade-token 2>/dev/null || true
  trap forget_requests EXIT
  local revision status=0
  github "/git/ref/heads/$UPGRADE_BRANCH" || answer_failing "$TROUBLE"
  case $CODE in
  200)
    revision=$(revision_from "$UPGRADE_BRANCH" "$BODY") || status=$?
    [[ $status == 0 ]] || answer_failing "$revision"
    answer_revision "$revision" "$(token_expires)"
    ;;
  409) answer_waiting ;; # no commit at all
  404)
    # No such branch, or no such repository: GitHub says the same of both.
    github "" || answer_failing "$TROUBLE"
    [[ $CODE == 200 ]] || answer_failing "$(github_trouble "$CODE" "$HEADERS" "$BODY")"
    github "/branches?per_page=10" || answer_failing "$TROUBLE"
    answer_waiting "$(jq -r '.[].name | strings | gsub("[\\x00-\\x1f\\x7f]"; "")' "$BODY" 2>/dev/null || true)"
    ;;
  *) answer_failing "$(github_trouble "$CODE" "$HEADERS" "$BODY")" ;;
  esac
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

# --- Requests ---------------------------------------------------------------------------------------------------------

# A renamed or transferred repository answers with its number. That is followed, once, and only to a repository of the
# same server; MOVED then says what it is called now.
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

# --- Commits ----------------------------------------------------------------------------------------------------------

leads_on() { # FROM TO
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

# The commit itself out of what GitHub tells of it. Its hash shows that it is the one: a signature of another commit of the
# same person must not do.
has_commit() { # REVISION
  local found
  github "/git/commits/$1" || return
  [[ $CODE == 200 ]] || {
    github_refused
    return
  }
  if ! jq -e '.verification | (.payload | type) == "string" and (.signature | type) == "string"' "$BODY" >/dev/null 2>&1; then
    TROUBLE=$(trouble unsigned machine "the commit is not signed")
    return 1
  fi
  COMMITS=$GITHUB_FOLDER/commits
  make_history "$COMMITS" "$1" || return
  # Git puts the signature at the end of the headers, its later lines indented.
  found=$(jq -j --arg header "$( ((${#1} == 40)) && echo gpgsig || echo gpgsig-sha256)" '.verification
    | (.payload | split("\n\n")) as $parts
    | $parts[0] + "\n" + $header + " " + (.signature | rtrimstr("\n") | gsub("\n"; "\n ")) + "\n\n" + ($parts[1:] | join("\n\n"))' "$BODY" |
    in_history "$COMMITS" hash-object -w -t commit --stdin 2>/dev/null) || found=
  [[ $found == "$1" ]] || {
    TROUBLE=$(trouble unsigned machine "the signature that GitHub shows is not of this commit")
    return 1
  }
}
