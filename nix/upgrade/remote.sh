#!/usr/bin/env bash
# Asks which revision the branch is at: one request, one line of JSON on standard output.
#   {"state":"ok","revision":"…","tokenExpires":…,"moved":…}   tokenExpires: Unix time or null; moved: what the repository
#                                                              is called now, or null
#   {"state":"waiting","branches":[…]}                         nothing was pushed to the branch yet; others that are there
#   {"state":"failing","kind":"…","message":"…","fault":"…","notBefore":…}   fault: see trouble.sh
# Nix itself would answer a refused or unreachable repository with the revision in its cache and
# exit code 0; here each of them is told apart, so that the machine can say why it stands still.

# shellcheck source=/dev/null
source "$UPGRADE_COMMON"
# shellcheck source=/dev/null
source "$UPGRADE_REPOSITORY"

answer_revision() { # REVISION [TOKEN EXPIRES]
  jq -nc --arg revision "$1" --argjson expires "${2:-null}" --arg moved "$MOVED" \
    '{state: "ok", revision: $revision, tokenExpires: $expires, moved: (if $moved == "" then null else $moved end)}'
  exit 0
}

answer_waiting() { # BRANCHES, one a line
  jq -Rnc '{state: "waiting", branches: [limit(10; inputs | select(. != ""))]}' <<<"${1:-}"
  exit 0
}

# At most an hour ahead: a wrong clock must not stop upgrades.
answer_failing() { # TROUBLE
  jq -c --argjson now "$NOW" '{state: "failing", kind, message, fault,
    notBefore: (if .wait then $now + ([.wait, 3600] | min) else null end)}' <<<"$1"
  exit 0
}

ask_git() {
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

# The header names a time such as "2026-12-22 10:00:00 UTC"; no header, no end.
token_expires() {
  local text
  text=$(response_header "$HEADERS" github-authentication-token-expiration)
  if [[ -n $text ]]; then date --date "$text" +%s 2>/dev/null || echo null; else echo null; fi
}

ask_rest() {
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

case $UPGRADE_ACCESS in
deploy-key) ask_git ;;
token) ask_rest ;;
*) answer_failing "$(trouble error machine "Unknown way to read the repository: $UPGRADE_ACCESS (deploy-key or token).")" ;;
esac
