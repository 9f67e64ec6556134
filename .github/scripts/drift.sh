#!/usr/bin/env bash
# Compares what exists with what the program says, and what the machine runs with main, and keeps one issue about it.
# Ends with 0 when everything was compared and said, and with 1 when not.
set -euo pipefail
cd "$(dirname "$0")/../.."

: "${PULUMI_STACK:?name of the stack: set the variable PULUMI_STACK of the repository}"
: "${PULUMI_BACKEND_URL:?where the state is: set the variable PULUMI_BACKEND_URL of the repository}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

status=0
pulumi preview --refresh --json --non-interactive --stack "$PULUMI_STACK" \
  >"$work/preview.json" 2>"$work/preview.log" || status=$?
url=$(pulumi stack output url --stack "$PULUMI_STACK" 2>/dev/null | tail -n 1) || url=

# Git needs none of the job's secrets.
revision=$(env -i PATH="$PATH" HOME="${HOME:-}" git rev-parse HEAD)
project=$(sed -n 's/^name: *//p' Pulumi.yaml)
GITHUB_TOKEN=${ISSUE_TOKEN:-${GITHUB_TOKEN:-}} npx tsx cli/ci/drift.ts \
  --preview "$work/preview.json" --log "$work/preview.log" --exit-code "$status" \
  --stack "$project/${PULUMI_STACK##*/}" --url "$url" --revision "$revision"
