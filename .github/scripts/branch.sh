#!/usr/bin/env bash
# Warns, on the page of the run, of workflows that are written for another branch than the one that the machine follows:
# GitHub cannot read that name from a file, so each of them has it in its own text.
set -euo pipefail
cd "$(dirname "$0")/../.."

branch=$(jq -r .branch nix/repository.json)
for file in .github/workflows/*.yml; do
  # `branches: [a, b]` below a push, or one name a line, and `refs/heads/a` in conditions.
  mapfile -t named < <(
    awk '/^ ? ? ?[^ #]/ { push = /^ +push:/; list = 0 }
      push && /^ *branches: *\[/ { gsub(/^[^[]*\[|\].*$/, ""); print }
      list && /^ *- / { sub(/^ *- */, ""); sub(/ #.*$/, ""); print; next }
      push { list = /^ *branches: *(#.*)?$/ }' "$file" | tr -d "\"' \r" | tr ',' '\n'
    grep -o "refs/heads/[^'\"]*" "$file" | sed 's|^refs/heads/||' || true
  )
  [[ ${#named[@]} -gt 0 ]] || continue
  printf '%s\n' "${named[@]}" | grep -qxF -- "$branch" ||
    printf '::warning file=%s::It runs for %s, but the machine follows %s (nix/repository.json): write that name here.\n' \
      "$file" "$(printf '%s\n' "${named[@]}" | sort -u | paste -sd ' ')" "$branch"
done
