#!/usr/bin/env bash
# Asks which revision the branch is at: one request, one line of JSON on standard output.
#   {"state":"ok","revision":"…","tokenExpires":…}   tokenExpires: Unix time or null
#   {"state":"waiting"}                              nothing was pushed to the branch yet
#   {"state":"failing","kind":"…","message":"…","notBefore":…}
# Nix itself would answer a refused or unreachable repository with the revision in its cache and
# exit code 0; here each of them is told apart, so that the machine can say why it stands still.

# shellcheck source=/dev/null
source "$UPGRADE_COMMON"

answer_revision() { # REVISION [TOKEN EXPIRES]
  jq -nc --arg revision "$1" --argjson expires "${2:-null}" \
    '{state: "ok", revision: $revision, tokenExpires: $expires}'
  exit 0
}

answer_waiting() {
  jq -nc '{state: "waiting"}'
  exit 0
}

answer_failing() { # KIND MESSAGE [NOT BEFORE]
  jq -nc --arg kind "$1" --arg message "$2" --argjson notBefore "${3:-null}" \
    '{state: "failing", kind: $kind, message: $message, notBefore: $notBefore}'
  exit 0
}

ask_git() {
  local output status=0 errors
  errors=$(mktemp)
  output=$(timeout "$REQUEST_SECONDS" git ls-remote "$UPGRADE_REMOTE" "refs/heads/$UPGRADE_BRANCH" 2>"$errors") || status=$?
  local text
  text=$(<"$errors")
  rm -f "$errors"

  if [[ $status == 0 ]]; then
    [[ -n $output ]] || answer_waiting
    answer_revision "${output%%[[:space:]]*}"
  fi
  case $status:$text in
  124:*) answer_failing timeout "The repository did not answer within $REQUEST_SECONDS seconds." ;;
  *"Host key verification failed"* | *"REMOTE HOST IDENTIFICATION HAS CHANGED"*)
    answer_failing host-key "The server's host key is not one of GitHub's published keys."
    ;;
  *"Repository not found"* | *"does not appear to be a git repository"*)
    answer_failing not-found "The repository does not exist, was renamed, or the machine's key may not read it."
    ;;
  *"Permission denied"*)
    answer_failing denied "The repository refuses the machine's key: the deploy key was removed, or is of another machine."
    ;;
  *"Could not resolve hostname"* | *"Connection refused"* | *"timed out"* | *"Network is unreachable"* | *"No route to host"*)
    answer_failing unreachable "The repository's server cannot be reached."
    ;;
  *"Identity file"*"not accessible"* | *"Load key"*)
    answer_failing denied "The machine's private key cannot be read: $UPGRADE_IDENTITY."
    ;;
  *) answer_failing error "git ls-remote failed (exit code $status): $(tail -n 1 <<<"$text")" ;;
  esac
}

header() { # NAME, from the last response's headers
  sed -n "s/^$1: *//Ip" "$headers" | tr -d '\r' | tail -n 1
}

# The header names a time such as "2026-12-22 10:00:00 UTC"; no header, no end.
token_expires() {
  local text
  text=$(header github-authentication-token-expiration)
  if [[ -n $text ]]; then date --date "$text" +%s 2>/dev/null || echo null; else echo null; fi
}

# When GitHub says how long to wait, at most an hour ahead: a wrong clock must not stop upgrades.
retry_at() {
  local reset
  reset=$(header retry-after)
  if [[ $reset =~ ^[0-9]+$ ]]; then
    reset=$((NOW + reset))
  else
    reset=$(header x-ratelimit-reset)
    [[ $reset =~ ^[0-9]+$ ]] || reset=$((NOW + 300))
  fi
  echo $((reset > NOW + 3600 ? NOW + 3600 : reset))
}

ask_rest() {
  local token
  # A secret that was changed is taken up here: from NixOS 26.11 on, a switch no longer restarts the service that does it
  # for sops-nix.
  [[ -z $UPGRADE_TOKEN_FILE ]] || nixos-upgrade-token 2>/dev/null || true
  token=$(access_token)
  [[ -n $token ]] || answer_failing no-token \
    "The machine has no token to read the repository with: see nixos-upgrade-token.service."

  local directory body status=0 code
  directory=$(mktemp -d)
  # shellcheck disable=SC2064 # the folder of this call
  trap "rm -rf '$directory'" EXIT
  headers=$directory/headers body=$directory/body

  # The token goes in by standard input: arguments can be read by every user of the machine.
  code=$(curl --silent --show-error --connect-timeout 10 --max-time "$REQUEST_SECONDS" --config - \
    --dump-header "$headers" --output "$body" --write-out '%{http_code}' \
    --header 'Accept: application/vnd.github.sha' --header 'X-GitHub-Api-Version: 2022-11-28' \
    "$UPGRADE_REMOTE/commits/$UPGRADE_BRANCH" \
    2>"$directory/errors" <<<"header = \"Authorization: Bearer $token\"") || status=$?

  case $status in
  0) ;;
  28) answer_failing timeout "GitHub did not answer in time." ;;
  35 | 51 | 58 | 60 | 77 | 83) answer_failing tls "No trusted connection to GitHub: $(tail -n 1 "$directory/errors")" ;;
  *) answer_failing unreachable "GitHub cannot be reached: $(tail -n 1 "$directory/errors")" ;;
  esac

  case $code in
  200)
    local revision
    revision=$(<"$body")
    [[ $revision =~ ^[0-9a-f]{40,64}$ ]] || answer_failing error "GitHub's answer is not a revision."
    answer_revision "$revision" "$(token_expires)"
    ;;
  409 | 422) answer_waiting ;; # no commit at all; no such branch
  401) answer_failing token "GitHub refuses the token: it has expired or was revoked." ;;
  404) answer_failing not-found "The repository does not exist, was renamed, or the token may not read it." ;;
  403 | 429)
    if [[ $code == 429 || $(header x-ratelimit-remaining) == 0 || -n $(header retry-after) ]]; then
      answer_failing rate-limit "GitHub's limit of requests is used up." "$(retry_at)"
    fi
    answer_failing token "GitHub forbids reading the repository with this token: its permissions do not reach."
    ;;
  *) answer_failing server "GitHub answers with status $code." ;;
  esac
}

case $UPGRADE_ACCESS in
deploy-key) ask_git ;;
token) ask_rest ;;
*) answer_failing error "Unknown way to read the repository: $UPGRADE_ACCESS (deploy-key or token)." ;;
esac
