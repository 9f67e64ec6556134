#!/usr/bin/env bash
# Turns the secret into a file that nix.conf includes. What stands in that file is obeyed by every
# Nix command that root runs, so nothing is copied through: a newline in the secret could set
# post-build-hook, and a value without a key would make every Nix command fail. Only a token of
# GitHub's own shapes is accepted, whole, and the setting around it is written here.

# shellcheck source=/dev/null
source "$UPGRADE_COMMON"

refuse() {
  rm -f "$UPGRADE_TOKEN_CONFIG"
  log "The secret github-access-token is refused: $1."
  log "Expected: one line with a token of GitHub's (github_pat_… or ghp_…), bare or after \"extra-access-tokens = github.com=\"."
  log "Set it again with \`npm run secrets token\`, commit, and merge or run \`pulumi up\`."
  exit 1
}

[[ -r $UPGRADE_TOKEN_FILE ]] || refuse "there is no file $UPGRADE_TOKEN_FILE"
# Bash would drop a NUL and take what is around it for the secret.
[[ $(tr -cd '\0' <"$UPGRADE_TOKEN_FILE" | wc -c) == 0 ]] || refuse "it holds a character that no token has"
# A newline at the end is an editor's habit and no part of the token; it is dropped here.
secret=$(<"$UPGRADE_TOKEN_FILE")
token=${secret#extra-access-tokens = github.com=}
[[ -n $token ]] || refuse "it is empty"
[[ $token =~ ^(github_pat_[A-Za-z0-9_]+|gh[pousr]_[A-Za-z0-9]+)$ ]] || refuse "it does not look like a token of GitHub's"

line="extra-access-tokens = ${UPGRADE_TOKEN_HOST:-github.com}=$token"
[[ $(cat "$UPGRADE_TOKEN_CONFIG" 2>/dev/null) != "$line" ]] || exit 0
mkdir -p "$(dirname "$UPGRADE_TOKEN_CONFIG")"
umask 077
replace_file "$UPGRADE_TOKEN_CONFIG" 400 <<<"$line"
