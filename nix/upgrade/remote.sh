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

if [[ ! -r $WAY ]]; then
  answer_failing "$(trouble error machine "Unknown way to read the repository: $UPGRADE_ACCESS. Known are $(basename -s .sh "$UPGRADE_WAYS"/*.sh | paste -sd ' ').")"
fi
ask_branch
