#!/usr/bin/env bash
# What the scripts of this folder share; each sources it. Settings come from the environment
# (UPGRADE_…), where default.nix puts what the options of modules/upgrade say.

# The messages of git and ssh are told apart below; they must not be translated.
export LC_ALL=C

# Only the machine's own key, only the pinned host keys, no question, and an end to a frozen line.
export GIT_SSH_COMMAND="ssh -F none -i $UPGRADE_MACHINE_KEY -o IdentitiesOnly=yes -o IdentityAgent=none \
-o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=$UPGRADE_KNOWN_HOSTS \
-o GlobalKnownHostsFile=none -o ConnectTimeout=10 -o ServerAliveInterval=5 -o ServerAliveCountMax=3"
export GIT_TERMINAL_PROMPT=0

export STATE_FILE=$UPGRADE_STATE/state.json
export PROBE_FILE=$UPGRADE_STATE/probe.json
NOW=$(date +%s)
export NOW
# How long the repository has to answer a question.
export REQUEST_SECONDS=${UPGRADE_REQUEST_SECONDS:-30}

log() {
  printf '%s\n' "$*" >&2
}

# The JSON object in a file; an empty one where the file is missing or was damaged.
read_json() { # FILE
  local text
  text=$(jq -c 'select(type == "object")' "$1" 2>/dev/null) || text=
  [[ $text == '{'* && $text != *$'\n'* ]] || text='{}'
  printf '%s\n' "$text"
}

# Replaces a file whole, so that nobody reads half of one and a power cut leaves the old or the new.
replace_file() { # FILE MODE, contents on standard input
  local temporary
  temporary=$(mktemp "$1.XXXXXX") || return
  # Chained, as errexit is off where a caller deals with a failure; on a full disk each try would leave a file behind.
  if cat >"$temporary" && chmod "$2" "$temporary" && mv "$temporary" "$1"; then return; fi
  rm -f "$temporary"
  return 1
}

short() {
  printf '%s' "${1:0:10}"
}

# The token that token.sh has accepted; nothing where there is none.
access_token() {
  sed -n 's/^extra-access-tokens = [^=]*=//p' "$UPGRADE_TOKEN_CONFIG" 2>/dev/null || true
}

# A time for people and programs: 2026-01-31T12:00:00Z.
timestamp() {
  date --utc --date "@$1" +%Y-%m-%dT%H:%M:%SZ
}

# What everybody may read about an error of this kind; the rest is for the journal.
public_summary() { # KIND
  case $1 in
  timeout | unreachable | server) echo "the repository cannot be reached" ;;
  blocked) echo "GitHub has closed the repository" ;;
  host-key | tls) echo "the repository's server is not trusted" ;;
  revision) echo "the repository does not say clearly which revision its branch is at" ;;
  moving) echo "the branch moved while it was looked at" ;;
  not-found | denied | identity | sso | ip-list | ownership | noise) echo "the repository cannot be read" ;;
  token | no-token | policy) echo "the access token is not accepted" ;;
  rate-limit) echo "the repository's limit of requests is used up" ;;
  branch-gone) echo "the branch is gone" ;;
  rewritten) echo "the branch's history was rewritten" ;;
  unsigned) echo "the new revision is not signed by a key that this machine trusts" ;;
  evaluation) echo "the new revision cannot be evaluated" ;;
  build) echo "the new revision cannot be built" ;;
  disk) echo "the disk is full" ;;
  rejected) echo "the new revision was rejected by a deployment" ;;
  switches-off) echo "the new revision would switch upgrades off" ;;
  restart) echo "the new revision needs a restart" ;;
  activation) echo "the new revision could not be activated and was taken back" ;;
  health) echo "the new revision was not healthy and was taken back" ;;
  lockout) echo "the new revision would lock deployments out and was taken back" ;;
  release-store) echo "the cache cannot be asked for releases" ;;
  release-expired) echo "the newest release has expired" ;;
  release-missing) echo "the cache does not have the whole release" ;;
  release-*) echo "the newest release is not accepted" ;;
  ci-failed) echo "the new revision could not be built by CI" ;;
  unreleased) echo "the new revision was not released in time" ;;
  interrupted) echo "the installation was interrupted" ;;
  *) echo "an unexpected error" ;;
  esac
}
