# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034 # names in single quotes are jq's; variables for the scripts that have this one
# Release records: what CI says that it built of which revision. CI leaves them in the stack's cache; this fetches one and
# checks all of it. test/release/cases.ts has the rules as a table, which components/release is run through too.
#
# A function that cannot say yes leaves the reason in TROUBLE (see trouble.sh) and returns 2; 1: there is none.

RECORD_BYTES=16384
# How far the clocks of CI and of this machine may differ.
RECORD_SKEW=300
# The hash of nothing, which requests without a body are signed with; older versions of curl leave the header out.
EMPTY_SHA256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855

# Set by newest_release: the record's text, the hash of it, and whether this machine has had it before.
RECORD=
RECORD_DIGEST=
RECORD_KNOWN=

# --- Fetching ---------------------------------------------------------------------------------------------------------

# A parameter of the cache's address, as in s3://bucket?region=eu-west-1.
store_parameter() { # NAME
  sed -nE "s/^[^?]*\?(.*&)?$1=([^&]*).*/\2/p" <<<"$UPGRADE_RELEASE_STORE"
}

# Branch and attribute are one word each in the key of an object, whatever characters they have.
record_key() { # FILE
  jq -rn --arg branch "$UPGRADE_BRANCH" --arg attribute "$UPGRADE_ATTRIBUTE" --arg file "$1" \
    'def word: @uri | gsub("~"; "~7E") | gsub("%"; "~");
    "releases/\($branch | word)/\($attribute | word)/\($file)"'
}

object_url() { # KEY
  local bucket region endpoint scheme
  if [[ $UPGRADE_RELEASE_STORE != s3://* ]]; then
    echo "${UPGRADE_RELEASE_STORE%%\?*}/$1"
    return
  fi
  bucket=${UPGRADE_RELEASE_STORE#s3://} bucket=${bucket%%[?/]*}
  region=$(store_parameter region) endpoint=$(store_parameter endpoint) scheme=$(store_parameter scheme)
  if [[ -n $endpoint ]]; then
    [[ $endpoint != *://* ]] || { scheme=${endpoint%%://*} && endpoint=${endpoint#*://}; }
    echo "${scheme:-https}://$endpoint/$bucket/$1"
  else
    echo "https://$bucket.s3.${region:-us-east-1}.amazonaws.com$([[ $region != cn-* ]] || echo .cn)/$1"
  fi
}

# One question to the machine's own metadata service, which no proxy may answer.
metadata() { # PATH, OPTIONS…; more of them on standard input
  local path=$1
  shift
  curl --silent --fail --noproxy '*' --connect-timeout 2 --max-time 5 --max-filesize 65536 --config - "$@" \
    "${UPGRADE_METADATA:-http://169.254.169.254}/latest/$path"
}

# What curl has to know to sign a request with the rights of the machine's role, as its configuration: arguments can be
# read by every user of the machine.
role_config() {
  local token role answer
  token=$(metadata api/token --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' </dev/null) &&
    role=$(metadata meta-data/iam/security-credentials/ <<<"header = \"X-aws-ec2-metadata-token: $token\"") &&
    [[ $role =~ ^[A-Za-z0-9+=,.@_-]+$ ]] &&
    answer=$(metadata "meta-data/iam/security-credentials/$role" <<<"header = \"X-aws-ec2-metadata-token: $token\"") &&
    jq -er --arg region "$(store_parameter region)" '
      def word: type == "string" and test("\\A[A-Za-z0-9/+=_-]+\\z");
      select((.AccessKeyId | word) and (.SecretAccessKey | word) and (.Token | word))
      | "user = \"\(.AccessKeyId):\(.SecretAccessKey)\"",
        "header = \"x-amz-security-token: \(.Token)\"",
        "aws-sigv4 = \"aws:amz:\(if $region == "" then "us-east-1" else $region end):s3\""' <<<"$answer"
}

# Fetches an object of the cache, always anew. 1: there is none.
fetch_object() { # KEY FILE
  local config='' errors=$2.errors code status words
  if [[ $UPGRADE_RELEASE_STORE == s3://* ]]; then
    config=$(role_config 2>/dev/null) ||
      unknown "$(trouble release-store machine "This machine cannot ask its cache for releases: the metadata service names no role for it. Was the instance profile taken away?")" || return
  fi
  # Bounded in time and size, whatever the other side does. A length that is announced is refused at once; without one
  # the reader stops.
  {
    curl --silent --show-error --config - --path-as-is --connect-timeout 10 --max-time "$REQUEST_SECONDS" \
      --max-filesize "$RECORD_BYTES" --header "x-amz-content-sha256: $EMPTY_SHA256" \
      --write-out '%{stderr}status %{http_code}\n' "$(object_url "$1")" 2>"$errors" <<<"$config" ||
      echo "exit $?" >>"$errors"
  } | head -c $((RECORD_BYTES + 1)) >"$2" || true
  code=$(sed -n 's/^status //p' "$errors" | tail -n 1)
  status=$(sed -n 's/^exit //p' "$errors" | tail -n 1)
  if (($(wc -c <"$2") > RECORD_BYTES)) || [[ $status == 63 ]]; then
    refused size "it is larger than $RECORD_BYTES bytes"
    return
  fi
  if [[ -n $status ]]; then
    sed -i '/^status \|^exit /d' "$errors"
    unknown "$(trouble release-store server "The cache cannot be asked for releases: $(quotable <"$errors")")"
    return
  fi
  words=$(sed -n 's/.*<Code>\([A-Za-z]*\)<.*/\1/p' "$2" | head -n 1)
  case $code in
  200) ;;
  404) return 1 ;;
  401 | 403) unknown "$(trouble release-store machine "The cache does not let this machine read releases (status $code${words:+, $words}): may its role read the bucket, and is its clock right ($(timestamp "$NOW"))?")" ;;
  *) unknown "$(trouble release-store server "The cache answers with status $code${words:+, $words} where a release was asked for.")" ;;
  esac
}

# --- Checking ---------------------------------------------------------------------------------------------------------

refused() { # WORD MESSAGE
  TROUBLE=$(trouble "release-$1" machine "The release record is refused: $(quotable <<<"$2").")
  return 2
}

# Takes the record out of its envelope, if the signature over it is of a key that this system trusts. Sets RECORD_DIGEST;
# the file then holds the record.
open_envelope() { # FILE
  local signature=$1.signature words
  jq -es 'length == 1 and (.[0] | type == "object" and keys == ["record", "signature"] and (.record | type) == "string"
    and (.signature | type) == "string")' "$1" >/dev/null 2>&1 ||
    { refused envelope "it is no envelope with a record and a signature" || return; }
  jq -j .signature "$1" >"$signature" && jq -j .record "$1" >"$1.record" && mv "$1.record" "$1"
  [[ -s $signature ]] || { refused signature "it is not signed" || return; }
  RECORD_DIGEST=$(sha256sum <"$1" | cut -d ' ' -f 1)
  if timeout 10 ssh-keygen -Y verify -f "$UPGRADE_RELEASE_SIGNERS" -I release -n nixos-release -s "$signature" <"$1" >/dev/null 2>&1; then
    return
  fi
  # By whom it is, if it is right in itself.
  if words=$(timeout 10 ssh-keygen -Y check-novalidate -n nixos-release -s "$signature" <"$1" 2>/dev/null); then
    refused signature "its key is none that this system trusts (${words##* key }). See pulumiNixos.upgrade.release.keys"
  else
    refused signature "its signature is not of these bytes, or was made for something else"
  fi
}

# One line: "ok", or a word and what is wrong.
judge_record() { # FILE STATES, what was the newest record as JSON on standard input
  jq -rn --rawfile text "$1" --arg states "$2" --argjson newest "$(cat)" --arg digest "$RECORD_DIGEST" \
    --argjson now "$NOW" --argjson skew "$RECORD_SKEW" --arg store "${NIX_STORE_DIR:-/nix/store}" \
    --arg repository "$UPGRADE_RELEASE_REPOSITORY" --arg branch "$UPGRADE_BRANCH" --arg attribute "$UPGRADE_ATTRIBUTE" '
    def whole: type == "number" and . == floor and . >= 1 and . <= 9007199254740991;
    def hash: type == "string" and test("\\A([0-9a-f]{40}|[0-9a-f]{64})\\z");
    def path: type == "string" and startswith($store + "/")
      and (ltrimstr($store + "/") | test("\\A[0-9a-df-np-sv-z]{32}-[0-9A-Za-z+._?=-]{1,211}\\z"));
    def text: type == "string" and test("\\A[^\\x00-\\x1f\\x7f]{1,1000}\\z");
    def or_null(f): . == null or f;
    def shown: if type == "string" then . else tojson end;
    ["attribute", "branch", "number", "previousRevision", "repository", "repositoryId", "republished", "revision", "run",
      "state", "system", "time", "tip", "validUntil", "version"] as $members
    | ([$text | try fromjson catch null] | first) as $record
    | $record
    | if type != "object" then "members it holds no record"
      elif .version != 1 then "version its format is \(if has("version") then .version | shown else "not said" end), and this system knows version 1: install a newer one with pulumi up"
      elif keys != $members then
        "members \([(keys - $members)[] | "\(. | tojson) is unknown"] + [($members - keys)[] | "\(. | tojson) is missing"] | join(", "))"
      elif [
          (.state | IN("released", "started", "failed")),
          (.repository | text and test("\\A[A-Za-z0-9_-]+/[A-Za-z0-9._-]+\\z")),
          (.repositoryId | or_null(whole)), (.branch | text), (.attribute | text),
          (.revision | hash), (.previousRevision | or_null(hash)), (.tip | hash), (.republished | type == "boolean"),
          (.time | whole), (.validUntil | whole),
          (.run | or_null(text and startswith("https://")))
        ] | all | not then "members one of them is of no form that it may have"
      elif .state == "released" and ((.system | path) and (.number | whole) | not) then
        "members a release has a store path and a number from 1"
      elif .state != "released" and (.system != null or .number != null) then "members only a release has a system and a number"
      elif .republished != true and .tip != .revision then "members it is of \(.revision) and was made when the branch was at \(.tip)"
      elif .validUntil <= .time then "members it ends before it begins"
      elif (.repository | ascii_downcase) != ($repository | ascii_downcase) then
        "repository it is of the repository \(.repository), and this machine follows \($repository)"
      elif .branch != $branch then "branch it is of the branch \(.branch), and this machine follows \($branch)"
      elif .attribute != $attribute then "attribute it is of \(.attribute), and this machine is \($attribute)"
      elif .state as $state | ($states / " " | index($state)) == null then "state it says \(.state) where \($states) was expected"
      elif .state == "released" and .number < ($newest.number // 0) then
        "number its number is \(.number), and this machine has seen \($newest.number): it is an old one"
      elif .state == "released" and .number == $newest.number and $digest != $newest.digest then
        "number its number \(.number) was given to another record before"
      elif .time > $now + $skew then
        "future it was made at \(.time | todate), and here it is \($now | todate): is the clock of this machine right?"
      elif .state == "released" and .number == $newest.number then "known"
      elif .validUntil <= $now then "expired it was valid until \(.validUntil | todate), and here it is \($now | todate)"
      else "ok" end' 2>/dev/null || echo "members it holds no record"
}

# Reads one object and checks everything in it. Sets RECORD, RECORD_DIGEST and RECORD_KNOWN.
read_record() { # KEY STATES, what was the newest record as JSON
  local verdict
  if [[ -z ${RELEASE_FOLDER:-} ]]; then
    RELEASE_FOLDER=$(mktemp -d) || unknown "$(trouble disk machine "No temporary folder can be made: is the disk full?")" || return
  fi
  fetch_object "$1" "$RELEASE_FOLDER/record" || return
  open_envelope "$RELEASE_FOLDER/record" || return
  verdict=$(judge_record "$RELEASE_FOLDER/record" "$2" <<<"$3")
  case $verdict in
  ok | known) ;;
  *) refused "${verdict%% *}" "${verdict#* }" || return ;;
  esac
  RECORD_KNOWN=false
  [[ $verdict != known ]] || RECORD_KNOWN=true
  RECORD=$(jq -c . "$RELEASE_FOLDER/record")
}

# The newest release. Usage: newest_release, what was the newest as JSON
newest_release() {
  read_record "$(record_key latest.json)" released "$1"
}

record() { # JQ PATH
  jq -r "$1 // empty" <<<"$RECORD"
}

# How far CI is with a revision: prints started, failed, or nothing.
release_progress() { # REVISION
  read_record "$(record_key "progress/$1.json")" "started failed" '{}' || {
    (($? == 1)) || log "$(jq -r .message <<<"$TROUBLE")"
    return 0
  }
  [[ $(record .revision) != "$1" ]] || record .state
}

forget_releases() {
  [[ -z ${RELEASE_FOLDER:-} ]] || rm -rf "$RELEASE_FOLDER"
}
