#!/usr/bin/env bash
# Previews the stack PULUMI_STACK and shows the result in the job's summary and as a comment on the pull request. Ends
# with the preview's exit status, whatever became of the comment.
set -euo pipefail
cd "$(dirname "$0")/../.."

: "${PULUMI_STACK:?name of the stack: set the variable PULUMI_STACK of the repository}"
: "${PULUMI_BACKEND_URL:?where the state is: set the variable PULUMI_BACKEND_URL of the repository}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Packages are compared with those of the base; a base that cannot be evaluated only means that they are not shown.
if git worktree add --quiet --detach "$work/base" 'HEAD^1' 2>/dev/null; then
  nix eval --raw "path:$work/base/nix#nixosConfigurations.default.config.system.build.toplevel.drvPath" \
    >/dev/null 2>&1 || echo "The base could not be evaluated, so packages are not compared." >&2
  git worktree remove --force "$work/base"
fi

# Plain JSON, never the event log: that one holds secrets in plain text.
status=0
npx pulumi preview --json --non-interactive --stack "$PULUMI_STACK" \
  >"$work/preview.json" 2>"$work/preview.log" || status=$?

# Names the comment also when the preview failed before it could say whose it is.
project=$(sed -n 's/^name: *//p' Pulumi.yaml)
options=(--preview "$work/preview.json" --log "$work/preview.log" --exit-code "$status"
  --stack "$project/${PULUMI_STACK##*/}")
npm run --silent preview-comment -- "${options[@]}" --print >>"${GITHUB_STEP_SUMMARY:-/dev/stdout}" || true
npm run --silent preview-comment -- "${options[@]}"
