#!/usr/bin/env bash
# Is this machine still what its repository says? Looks for itself, with a request of its own, so
# that an upgrade that hangs, was stopped or is wrong about itself is noticed too. Fails, and with it
# its unit, when the machine has been behind for longer than UPGRADE_FRESH_SECONDS or the token is
# near its end; that failure is what alert.sh and monitoring see.

# shellcheck source=/dev/null
source "$UPGRADE_COMMON"

probe=$(read_json "$PROBE_FILE")
answer=$(nixos-upgrade-remote)
# Read last: the upgrade may have come to an end meanwhile.
state=$(read_json "$STATE_FILE")
NOW=$(date +%s)

# The first run begins the count; a machine that was switched off is not behind for that time.
boot=$((NOW - $(cut -d . -f 1 /proc/uptime)))

probe=$(jq -nc --argjson now "$NOW" --argjson boot "$boot" --argjson fresh "$UPGRADE_FRESH_SECONDS" \
  --argjson warn "$UPGRADE_TOKEN_WARNING_SECONDS" --arg signers "$UPGRADE_RELEASE_SIGNERS" --arg system "$(system_now)" --arg branch "$UPGRADE_BRANCH" \
  --argjson probe "$probe" --argjson state "$state" --argjson answer "$answer" '
  def minutes: ($now - .) / 60 | floor | "\(.) minutes";
  # A time ahead was written while the clock was wrong.
  def past: if . == null or . > $now then null else . end;
  ([$probe.begun | past // $now, $boot] | max) as $begun
  # The upgrade may have read the repository since, and have moved the machine on.
  | (if $answer.state == "failing" then [$probe.contact, $state.check, $begun | past] | max else $now end) as $contact
  | (if $state.running.system == $system then $state.running.revision else null end) as $running
  | (if $answer.state != "ok" then $probe.behindSince | past
     elif $running == $answer.revision then null
     else [($probe.behindSince | past // $now), $begun, (if $running then $state.running.since else null end | past)] | max end) as $behind
  | ([$state.check, $begun | past] | max) as $check
  | (if $answer.state == "waiting" then [($probe.waitingSince | past // $now), $begun] | max
     elif $answer.state == "ok" then null
     else $probe.waitingSince end) as $waiting
  | (if $answer.state == "ok" then $answer.tokenExpires else $probe.tokenExpires end) as $expires
  | {
      begun: $begun, contact: $contact, behindSince: $behind, waitingSince: $waiting,
      tokenExpires: $expires, at: $now,
      problems: [
        if $behind and $now - $behind > $fresh then {
          kind: "behind",
          summary: "This machine does not run the newest revision of its repository.",
          message: "The branch is at \($answer.revision // "an unknown revision"), this machine runs \($running // "an unknown revision"), for \($behind | minutes)."
        } else empty end,
        if $now - $contact > $fresh then {
          kind: "contact",
          summary: "This machine cannot read its repository.",
          message: "The repository could not be read for \($contact | minutes): \($answer.message)"
        } else empty end,
        # What is there says whether somebody pushed to another name, such as the one that git has chosen.
        if $answer.state == "waiting" and $now - $waiting > $fresh then {
          kind: "branch",
          summary: "The branch that this machine follows is not there.",
          message: ("The repository has no branch \($branch), for \($waiting | minutes). "
            + ($answer.branches // [] | if length == 0 then "Push to it: git push -u origin HEAD:\($branch)"
               # Whoever may push chooses such a name; one that a shell would obey is for nobody to paste.
               else "It has: \(join(", ")). Push to \($branch): git push origin \(map(select(test("^[A-Za-z0-9_][A-Za-z0-9._/@+-]*$"))) | first // "HEAD"):\($branch); or write another \"branch\" into nix/repository.json." end))
        } else empty end,
        # One that is at work asks again when it is done, and systemd ends it after three hours.
        if $answer.state == "ok" and $now - $check > $fresh + (if $state.phase then 10800 else 0 end) then {
          kind: "looking",
          summary: "This machine has stopped looking for new revisions.",
          message: "nixos-upgrade.service has not asked the repository for \($check | minutes): see systemctl status nixos-upgrade.timer nixos-upgrade.service"
        } else empty end,
        # Renewed every day; one that ends was not, and somebody may be keeping newer ones from this machine.
        if $signers != "" and $state.release and $state.release.validUntil <= $now then {
          kind: "release",
          summary: "The newest release has expired.",
          message: "The newest release that this machine knows, number \($state.release.number) of revision \($state.release.revision), was valid until \($state.release.validUntil | todate). CI renews it every day: has its scheduled job stopped, or can the cache not be read?"
        } else empty end,
        if $expires and $expires - $now < $warn then {
          kind: "token",
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
