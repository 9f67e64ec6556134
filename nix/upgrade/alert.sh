#!/usr/bin/env bash
# Runs the command of the option `onFailure` once for each new trouble and once a day while it lasts;
# the probe itself fails every few minutes. The command finds the trouble in UPGRADE_PROBLEM.

# shellcheck source=/dev/null
source "$UPGRADE_COMMON"

# In memory, or a full disk would silence it.
told_file=$(dirname "$UPGRADE_PUBLIC")/told.json
# A probe that could not even write its record has failed itself.
probe=$(read_json "$PROBE_FILE" | jq -c '.problems //= [] | if .problems == [] then .problems = [{
  summary: "The probe itself failed.", message: "The probe itself failed: see journalctl -u nixos-upgrade-freshness."
}] else . end')
told=$(read_json "$told_file")

# Compared by their summaries: the messages count minutes.
new=$(jq -nc --argjson probe "$probe" --argjson told "$told" --argjson now "$NOW" \
  '{at: $now, problems: [$probe.problems[].summary]}
   | if .problems == $told.problems and ($now - $told.at | . >= 0 and . < 86400) then null else . end')
[[ $new != null ]] || exit 0
replace_file "$told_file" 600 <<<"$new"

UPGRADE_PROBLEM=$(jq -r '.problems[].message' <<<"$probe")
export UPGRADE_PROBLEM
exec bash -euo pipefail -c "$UPGRADE_ON_FAILURE"
