#!/usr/bin/env bash
# Shows in the job's summary which packages and units of the machine a pull request changes: the merge that is checked out,
# beside its first parent. Evaluates both and builds nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"; git worktree prune' EXIT

git worktree add --quiet --detach "$work/base" 'HEAD^1'
before=$(EVALUATE_FLAKE="path:$work/base/nix#default" node components/deploy/evaluate.mjs)
after=$(EVALUATE_FLAKE=path:$PWD/nix#default node components/deploy/evaluate.mjs)
npx tsx cli/ci/packages.ts "$before" "$after" | tee -a "${GITHUB_STEP_SUMMARY:-/dev/null}"
