#!/usr/bin/env bash
# Is this machine still what its repository says? Looks for itself, with a request of its own, so
# that an upgrade that hangs, was stopped or is wrong about itself is noticed too. Fails, and with it
# its unit, when the machine has been behind for longer than UPGRADE_FRESH_SECONDS or the token is
# near its end; that failure is what alert.sh and monitoring see.

# shellcheck source=/dev/null
source "$UPGRADE_COMMON"

probe=$(read_json "$PROBE_FILE")
state=$(read_json "$STATE_FILE")
answer=$(nixos-upgrade-remote)

# The first run begins the count; a machine that was switched off is not behind for that time.
boot=$((NOW - $(cut -d . -f 1 /proc/uptime)))

probe=$(jq -nc --argjson now "$NOW" --argjson boot "$boot" --argjson fresh "$UPGRADE_FRESH_SECONDS" \
  --argjson warn "$UPGRADE_TOKEN_WARNING_SECONDS" --arg system "$(current_system)" --arg branch "$UPGRADE_BRANCH" \
  --argjson probe "$probe" --argjson state "$state" --argjson answer "$answer" '
  def minutes: ($now - .) / 60 | floor | "\(.) minutes";
  ([$probe.begun // $now, $boot] | max) as $begun
  | (if $answer.state == "failing" then [$probe.contact // $begun, $begun] | max else $now end) as $contact
  | (if $state.running.system == $system then $state.running.revision else null end) as $running
  | (if $answer.state != "ok" then $probe.behindSince
     elif $running == $answer.revision then null
     else [$probe.behindSince // $now, $begun] | max end) as $behind
  | ([$state.check // $begun, $begun] | max) as $check
  | (if $answer.state == "waiting" then [$probe.waitingSince // $now, $begun] | max
     elif $answer.state == "ok" then null
     else $probe.waitingSince end) as $waiting
  | (if $answer.state == "ok" then $answer.tokenExpires else $probe.tokenExpires end) as $expires
  | {
      begun: $begun, contact: $contact, behindSince: $behind, waitingSince: $waiting,
      tokenExpires: $expires, at: $now,
      problems: [
        if $behind and $now - $behind > $fresh then {
          summary: "This machine does not run the newest revision of its repository.",
          message: "The branch is at \($answer.revision // "an unknown revision"), this machine runs \($running // "an unknown revision"), for \($behind | minutes)."
        } else empty end,
        if $now - $contact > $fresh then {
          summary: "This machine cannot read its repository.",
          message: "The repository could not be read for \($contact | minutes): \($answer.message)"
        } else empty end,
        # What is there says whether somebody pushed to another name, such as the one that git has chosen.
        if $answer.state == "waiting" and $now - $waiting > $fresh then {
          summary: "The branch that this machine follows is not there.",
          message: ("The repository has no branch \($branch), for \($waiting | minutes). "
            + ($answer.branches // [] | if length == 0 then "Push to it: git push -u origin HEAD:\($branch)"
               else "It has: \(join(", ")). Push to \($branch): git push origin \(first):\($branch); or write another \"branch\" into nix/repository.json." end))
        } else empty end,
        # One that is at work asks again when it is done.
        if $answer.state == "ok" and $state.phase == null and $now - $check > $fresh then {
          summary: "This machine has stopped looking for new revisions.",
          message: "nixos-upgrade.service has not asked the repository for \($check | minutes): see systemctl status nixos-upgrade.timer nixos-upgrade.service"
        } else empty end,
        if $expires and $expires - $now < $warn then {
          summary: "This machine loses its access to the repository soon.",
          message: "The token ends at \($expires | todate). Make a new one and set it: npm run secrets token"
        } else empty end
      ]
    }')
written=true
replace_file "$PROBE_FILE" 600 <<<"$probe" || written=false
nixos-upgrade-status || true
$written || {
  log "The probe cannot write $PROBE_FILE. Is the disk full?"
  exit 1
}

problems=$(jq -r '.problems[].message' <<<"$probe")
[[ -z $problems ]] || {
  log "$problems"
  exit 1
}
