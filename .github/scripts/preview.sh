#!/usr/bin/env bash
# Previews the stack PULUMI_STACK and shows the result in the job's summary and as a comment on the pull request. Ends
# with the preview's exit status, whatever became of the comment.
#
# With PREVIEWS=cloud it reads neither the state nor a secret of the stack: it previews an empty stack of the same
# configuration, so that everything is to be made. Program, flake and policies are tried all the same.
set -euo pipefail
cd "$(dirname "$0")/../.."

: "${PULUMI_STACK:?name of the stack: set the variable PULUMI_STACK of the repository}"
: "${PREVIEWS:=state}"
case $PREVIEWS in
state) : "${PULUMI_BACKEND_URL:?where the state is: set the variable PULUMI_BACKEND_URL of the repository}" ;;
cloud) ;;
*)
  echo "preview: the variable PREVIEWS of the repository is \"$PREVIEWS\"; allowed: state, cloud." >&2
  exit 1
  ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# For programs that need none of the job's secrets.
without_secrets() {
  env -i PATH="$PATH" HOME="${HOME:-}" "$@"
}

if [[ $PREVIEWS == cloud ]]; then
  export PULUMI_BACKEND_URL=file://$work/state PULUMI_CONFIG_PASSPHRASE=empty
  # What the stack has made is there, and this one is to make all of it: that is no mistake here.
  export PULUMI_NIXOS_ADOPTING=true
  mkdir "$work/state"
  npx tsx cli/ci/plainConfig.ts "Pulumi.${PULUMI_STACK##*/}.yaml" >Pulumi.empty.yaml
  trap 'rm -rf "$work" Pulumi.empty.yaml' EXIT
  PULUMI_STACK=empty
  pulumi stack init "$PULUMI_STACK" --secrets-provider passphrase --non-interactive >/dev/null
fi

# Packages are compared with those of the base; a base that cannot be evaluated only means that they are not shown.
if without_secrets git worktree add --quiet --detach "$work/base" 'HEAD^1' 2>/dev/null; then
  # Which searches the folder for secrets before Nix copies it, and keeps the job's own from Nix.
  EVALUATE_FLAKE="path:$work/base/nix#default" node components/deploy/evaluate.mjs >/dev/null 2>&1 || echo "The base could not be evaluated, so packages are not compared." >&2
  without_secrets git worktree remove --force "$work/base"
fi

# Names the comment also when the preview failed before it could say whose it is.
project=$(sed -n 's/^name: *//p' Pulumi.yaml)
comment=(--preview - --log "$work/preview.log" --stack "$project/${PULUMI_STACK##*/}"
  --summary "${GITHUB_STEP_SUMMARY:-/dev/stdout}")

# The engine's events, because only they tell what the policies found. Debug messages among them hold secrets in plain
# text: they go from one process to the other and never into a file.
set +e
PULUMI_ENABLE_STREAMING_JSON_PREVIEW=true pulumi preview --json --non-interactive --policy-pack policy \
  --stack "$PULUMI_STACK" 2>"$work/preview.log" | npm run --silent preview-comment -- "${comment[@]}"
exit "${PIPESTATUS[0]}"
