#!/usr/bin/env bash
# Writes what the machine says of itself: status.json for programs, and status.html, which the page
# includes. Both go to a folder that the web server may read; error texts and names of units only
# with UPGRADE_DETAILS, for everybody may read the page.

# shellcheck source=/dev/null
source "$UPGRADE_COMMON"

mkdir -p "$UPGRADE_PUBLIC"
chmod 755 "$UPGRADE_PUBLIC"

held=false
! in_force "$(cat "$HOLD_FILE" 2>/dev/null || true)" || held=true

reboot=false
! reboot_needed "$(system_now)" || reboot=true

# A record that cannot be written says for ever what it said last, and that may be that all is well.
writable=true
if [[ -d $UPGRADE_STATE ]]; then
  { echo >"$UPGRADE_STATE/writable"; } 2>/dev/null || writable=false
  rm -f "$UPGRADE_STATE/writable"
fi

# From the calendar and not from the timer, which does not know it while its own service runs.
next=$(systemd-analyze calendar "$UPGRADE_DATES" 2>/dev/null | sed -n 's/^ *Next elapse: //p')
next=$(date --date "${next:-none}" +%s 2>/dev/null || true)

status=$(jq -nc \
  --argjson now "$NOW" \
  --argjson state "$(read_json "$STATE_FILE")" \
  --argjson probe "$(read_json "$PROBE_FILE")" \
  --arg enabled "$UPGRADE_ENABLED" --arg details "$UPGRADE_DETAILS" \
  --arg system "$(system_now)" --arg commit "$UPGRADE_COMMIT_URL" \
  --argjson held "$held" --arg next "$next" \
  --argjson free "$(df --output=avail --block-size=1 /nix/store | tail -n 1)" \
  --argjson size "$(df --output=size --block-size=1 /nix/store | tail -n 1)" \
  --argjson fresh "$UPGRADE_FRESH_SECONDS" --argjson retry "$UPGRADE_RETRY_SECONDS" --argjson reboot "$reboot" --argjson writable "$writable" '
  def time: if . then (floor | todate) else null end;
  # A time ahead was written while the clock was wrong, and would hide what the probe finds until then.
  def past: if . == null or . > $now then null else . end;
  def within($seconds): if . == null or . > $now + $seconds then 0 else . end;
  ($state.running // {}) as $running
  | ($state.check | past) as $check
  # The record is of the running system only if that is still the one that was installed.
  | (if $running.system == $system then $running.revision else null end) as $revision
  | (if $writable then [] else [{
        summary: "The disk is full, or cannot be written.",
        message: "Nothing can be written to /var/lib/nixos-upgrade. Is the disk full?"
      }] end
      # What the upgrade has found since is newer than what the probe found.
      + [$probe.problems // [] | .[] | select(($check // 0) > ($probe.at // 0) and (
          .kind == "contact" or .kind == "looking"
          or (.kind == "branch" and ($state.waiting | not))
          or (.kind == "token" and $state.tokenExpires != $probe.tokenExpires)
          or (.kind == "release" and $state.release.validUntil > $now)
          or (.kind == "behind" and ($state.phase or ($revision and $revision == $state.wanted.revision)))
        ) | not)]) as $problems
  | $state.error as $error
  | (if $enabled != "true" then "off"
     elif ($problems | length) > 0 then "stale"
     elif $error then "failing"
     elif $held then "held"
     elif $state.waiting then "waiting"
     elif $state.phase == "awaiting" then "awaiting"
     elif $state.phase then "upgrading"
     elif $revision and $revision == $state.wanted.revision then "current"
     elif $check == null then "starting"
     else "upgrading" end) as $name
  | {
      state: $name,
      healthy: ([$name] | inside(["current", "upgrading", "held", "waiting", "awaiting", "starting"])),
      summary: {
        off: "This machine does not upgrade itself.",
        stale: ([$problems[].summary] | join(" ")),
        failing: ("The last upgrade did not work: " + ($error.summary // "unknown error") + "."),
        held: "A deployment is at work; the upgrade waits for it.",
        waiting: "Waiting for the first push to the repository.",
        awaiting: "Waiting for CI to release the new revision.",
        upgrading: "A new revision is being installed.",
        current: "This machine runs what its repository says.",
        starting: "The machine has just started; its first check is still to come."
      }[$name],
      revision: $revision,
      since: (if $revision then $running.since | time else null end),
      commit: (if $revision and $commit != "" then $commit + $revision else null end),
      wanted: ($state.wanted.revision // null),
      wantedSince: ($state.wanted.since | time),
      phase: ($state.phase // null),
      # The newest release that this machine knows, and what it waits for.
      release: ($state.release // null | if . then {
          number, revision, republished, made: (.time | time), validUntil: (.validUntil | time), runs: (.system == $system)
        } else null end),
      releaseWait: ($state.releaseWait | if .since then {
          since: (.since | time), until: (.until | time), progress: (if .progress == "" then null else .progress end)
        } else null end),
      lastCheck: ($check | time),
      lastSuccess: ($state.success | past | time),
      lastError: (if $error then
          {kind: $error.kind, since: ($error.since | time), at: ($error.at | time)}
          + (if $details == "true" then {message: $error.message} else {} end)
        else null end),
      nextTry: ([($state.notBefore | within(3600)), (if $error then $state.failed.retryAt | within($retry) else 0 end), ($next | tonumber? // 0)] | max | if . > 0 then time else null end),
      tokenExpires: ($state.tokenExpires | time),
      # What goes on working, and should be seen to.
      warnings: (if $state.moved then [
          "The repository was renamed or transferred" + (if $details == "true" then " and is now \($state.moved)" else "" end)
          + ": write its new name into nix/repository.json."
        ] else [] end),
      freeDiskBytes: $free,
      freeDiskPercent: (100 * $free / $size | floor),
      rebootNeeded: $reboot,
      # A reader who sees this long past knows that the machine has stopped writing.
      staleAfter: ($now + $fresh | time),
      written: ($now | time)
    }
  | if $details == "true" then .problems = [$problems[].message] else . end')

replace_file "$UPGRADE_PUBLIC/status.json" 644 < <(jq . <<<"$status")

replace_file "$UPGRADE_PUBLIC/status.html" 644 < <(jq -r '
  def row($name; $html): if $html then "<div><dt>\($name)</dt><dd>\($html)</dd></div>" else empty end;
  def time: if . then "<time datetime=\"\(. | @html)\">\(. | sub("T"; " ") | sub("Z$"; " UTC") | @html)</time>" else null end;
  {
    current: ["good", "Up to date"], upgrading: ["good", "Upgrading"], held: ["good", "Deploying"],
    waiting: ["neutral", "Waiting"], awaiting: ["good", "Waiting for CI"], starting: ["neutral", "Starting"], off: ["neutral", "Upgrades are off"],
    failing: ["bad", "Needs attention"], stale: ["bad", "Needs attention"]
  }[.state] as [$colour, $headline]
  | "<section class=\"status \($colour)\" id=\"status\" data-state=\"\(.state)\" data-stale-after=\"\(.staleAfter)\">",
    "<p class=\"summary\"><strong>\($headline)</strong> <span>\(.summary | @html)</span></p>",
    "<dl>",
    row("Revision";
      if .revision == null then "not known"
      elif .commit then "<a href=\"\(.commit | @html)\"><code>\(.revision[:10] | @html)</code></a>"
      else "<code>\(.revision[:10] | @html)</code>" end),
    row("Running since"; .since | time),
    row("Newest revision"; if .wanted and .wanted != .revision then "<code>\(.wanted[:10] | @html)</code>" else null end),
    row("Release"; .release | if . and .runs then
        "\(.number)" + (if .republished then ", which is <code>\(.revision[:10] | @html)</code> again" else "" end)
      else null end),
    row("Waits for CI"; .releaseWait | if . then
        "until \(.until | time)" + (if .progress == "started" then ", which is at work" else ", which has not begun" end)
      else null end),
    row("Last check"; .lastCheck | time),
    row("Last success"; .lastSuccess | time),
    row("Failing since"; .lastError.since | time),
    row("What failed"; .lastError.message | if . then @html else null end),
    row("Next try"; .nextTry | time),
    row("Token ends"; .tokenExpires | time),
    row("Warning"; .warnings | if . == [] then null else join(" ") | @html end),
    row("Free disk"; "\(.freeDiskBytes / 1073741824 * 10 | floor / 10) GiB (\(.freeDiskPercent) %)"),
    row("Restart"; if .rebootNeeded then "needed for the new kernel" else null end),
    "</dl>",
    "</section>"
  ' <<<"$status")

# The same for Prometheus. What is not known has no sample: a zero would be a time, or no trouble.
replace_file "$UPGRADE_PUBLIC/metrics" 644 < <(jq -r --argjson failures "$(read_json "$STATE_FILE" | jq -c '(.failures | objects) // {}')" '
  # The three that a value may not have as they are; without the others that a terminal or a parser stumbles over.
  def escaped: tostring | gsub("\\\\"; "\\\\") | gsub("\""; "\\\"") | gsub("\n"; "\\n") | gsub("[[:cntrl:]]"; "");
  def metric($name; $type; $help; $samples):
    [$samples[] | select(.[1] != null)]
    | if . == [] then empty
      else "# HELP nixos_upgrade_\($name) \($help)", "# TYPE nixos_upgrade_\($name) \($type)",
        (.[] | "nixos_upgrade_\($name)\(.[0] | to_entries | if . == [] then "" else "{" + (map("\(.key)=\"\(.value | escaped)\"") | join(",")) + "}" end) \(.[1])")
      end;
  def gauge($name; $help; $value): metric($name; "gauge"; $help; [[{}, ($value | if . == true then 1 elif . == false then 0 else . end)]]);
  # A clock that was wrong may have written a time that is none.
  def seconds: try (if . then fromdate else null end) catch null;
  def flag($on): if $on then 1 else 0 end;
  .state as $state
  | gauge("healthy"; "Whether all is well, as status.json says."; .healthy),
    metric("state"; "gauge"; "What the upgrade is at: 1 for the state that it is in.";
      ["off", "stale", "failing", "held", "waiting", "awaiting", "upgrading", "current", "starting", $state] | unique | map([{state: .}, flag(. == $state)])),
    gauge("waiting"; "Whether it waits for somebody: the first push, CI, or a deployment.";
      (["waiting", "awaiting", "held"] | index($state) != null)),
    gauge("running_since_timestamp_seconds"; "Since when the revision that runs does so."; .since | seconds),
    gauge("behind_since_timestamp_seconds"; "Since when the branch has had a newer revision.";
      if .wanted and .wanted != .revision then .wantedSince | seconds else null end),
    gauge("last_check_timestamp_seconds"; "When the repository last answered."; .lastCheck | seconds),
    gauge("last_success_timestamp_seconds"; "When the machine was last what its repository says."; .lastSuccess | seconds),
    gauge("token_expiry_timestamp_seconds"; "When the token for the repository ends."; .tokenExpires | seconds),
    metric("error"; "gauge"; "The error that lasts, by its kind."; [[{kind: (.lastError.kind // "unknown")}, if .lastError then 1 else null end]]),
    metric("failures_total"; "counter"; "Polls that failed, by the kind of error.";
      $failures | to_entries | map(select((.key | test("\\A[a-z-]+\\z")) and (.value | type) == "number" and .value >= 0) | [{kind: .key}, .value])),
    gauge("reboot_needed"; "Whether the kernel that was started is another than that of the system."; .rebootNeeded),
    gauge("free_disk_bytes"; "What is free where the store is."; .freeDiskBytes),
    gauge("written_timestamp_seconds"; "When these were written: once a poll."; .written | seconds)
  ' <<<"$status")
