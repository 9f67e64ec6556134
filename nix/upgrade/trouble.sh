#!/usr/bin/env bash
# What went wrong between this machine and its repository, from what git, ssh, curl and GitHub said: one place for the
# scripts of this folder. The deployment program and the commands have the same rules in TypeScript; the tables in
# test/trouble/ are run through both.
#
# Each function prints one object:
#   kind         see public_summary
#   message      what is wrong, with the other side's own sentence, and the way out
#   fault        "server": the network's, GitHub's or its limits', which no system of ours can help; else "machine"
#   wait         how many seconds to wait at least before asking again; null: as usual

# Text of a server, for a log and a page: one line, without control characters, without tokens.
quotable() {
  tr '\n\r\t' '   ' | tr -d '\000-\037\177' |
    sed -E 's/(gh[pousr]_|github_pat_)[A-Za-z0-9_]+/[token]/g; s/ +/ /g; s/^ //; s/ $//' | cut -c 1-300
}

trouble() { # KIND FAULT MESSAGE [WAIT]
  jq -nc --arg kind "$1" --arg fault "$2" --arg message "$3" --argjson wait "${4:-null}" \
    '{kind: $kind, message: $message, fault: $fault, wait: $wait}'
}

# The line that names the cause. What git adds for everybody says nothing ("Please make sure you have the correct access
# rights"), and it comes last.
cause() { # FILE [PATTERN]
  local lines
  lines=$(tr '\r' '\n' <"$1" | grep -avE '^[[:space:]]*$|^@|^\*\* |^Warning: Permanently added|^hint:|^Please make sure you have the correct access|^and the repository exists|Could not read from remote repository|^remote: *$|^(remote: )?(Enumerating|Counting|Compressing|Receiving|Resolving)' || true)
  { [[ -n ${2:-} ]] && grep -aiE -m 1 -e "$2" <<<"$lines" ||
    grep -aE -m 1 '^(ERROR|fatal|error|remote|ssh|kex_exchange_identification)\b' <<<"$lines" ||
    tail -n 1 <<<"$lines"; } | quotable
}

# From how a program ended and what it wrote on standard error.
git_trouble() { # STATUS FILE
  local status=$1 file=$2 kind pattern words
  case $status in
  124)
    trouble timeout server "The repository did not answer within ${TIME_LIMIT:-${REQUEST_SECONDS:-30}} seconds."
    return
    ;;
  127)
    trouble missing machine "git is not there: $(cause "$file")"
    return
    ;;
  137 | 143)
    trouble killed machine "git was ended by $([[ $status == 137 ]] && echo 'SIGKILL (out of memory?)' || echo SIGTERM)."
    return
    ;;
  esac

  # The order matters: a refusal is followed by lines that look like a broken connection.
  while read -r kind pattern; do
    grep -qaiE -e "$pattern" "$file" || continue
    words=$(cause "$file" "$pattern")
    case $kind in
    disk) trouble disk machine "The disk is full: $words" ;;
    ownership) trouble ownership machine "Git does not trust the folder: $words" ;;
    host-key) trouble host-key machine "The server's host key is not one of GitHub's published keys: $words" ;;
    identity) trouble identity machine "The machine's private key cannot be read: $words" ;;
    rate-limit) trouble rate-limit server "GitHub's limit of requests is used up: $words" 60 ;;
    sso) trouble sso machine "The organization asks for single sign-on: $words" ;;
    ip-list) trouble ip-list machine "The organization's IP allow list keeps this machine out: $words" ;;
    blocked) trouble blocked server "GitHub has closed the repository: $words" ;;
    not-found) trouble not-found machine "The repository does not exist, was deleted, or the machine's key may not read it: $words" ;;
    denied) trouble denied machine "The repository refuses the machine's key: the deploy key was removed, or is of another machine: $words" ;;
    noise) trouble noise machine "The login shell at the other end prints something, and that is taken for git's protocol: $words" ;;
    unreachable) trouble unreachable server "The repository's server cannot be reached: $words" ;;
    tls) trouble tls machine "No trusted connection to the server: $words" ;;
    server) trouble server server "The repository's server broke off: $words" ;;
    error) trouble error machine "git failed (exit code $status): $words" ;;
    esac
    return
  done <<'RULES'
disk No space left on device|Disk quota exceeded|file write error
ownership dubious ownership|unsafe repository
error cannot fork|unable to create thread|Out of memory|Cannot allocate memory
host-key Host key for [^ ]+ has changed|Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|no matching host key type|No [^ ]+ host key is known
identity Identity file .* not accessible|no such identity|Load key |UNPROTECTED PRIVATE KEY FILE
rate-limit rate limit|Too many requests|returned error: 429
sso SAML SSO|single sign-on
ip-list IP allow ?list
blocked access to this repository has been (disabled|blocked)|Repository access blocked|Repository '[^']*' is disabled|account (is|was) (suspended|disabled)|DMCA|returned error: 451
not-found Repository not found|repository '[^']*' not found|does not appear to be a git repository|returned error: 404
denied sign_and_send_pubkey|SSH key audit|RSA key with SHA-1|Permission to [^ ]* denied|Permission denied \(|Too many authentication failures|Authentication failed|could not read Username|returned error: 40[13]
noise bad line length character|protocol mismatch|protocol error: unexpected
unreachable Could not resolve|Name or service not known|Temporary failure in name resolution|nodename nor servname|Connection refused|timed out|No route to host|Network is unreachable|Host is down|Failed to connect to|non-properly terminated|Error in the pull function|SSL_ERROR_SYSCALL|unexpected eof while|Connection was reset|Empty reply|proxy after CONNECT|CONNECT tunnel failed|CONNECT aborted|Operation too slow|stdio forwarding failed|channel [0-9]+: open failed|SSL connection timeout|getaddrinfo [^ ]+: System error
tls certificate|trust anchors|SSL CA cert|TLS (alert|connect)|gnutls_handshake
server kex_exchange_identification|ssh_dispatch_run_fatal|Corrupted MAC|Bad packet length|Received disconnect|Connection (closed|reset)|Broken pipe|closed by remote host|hung up|early EOF|unexpected disconnect|expected flush|transfer closed|not closed cleanly|HTTP2 framing|RPC failed|returned error: 5[0-9][0-9]|Internal Server Error|no healthy upstream|Service Unavailable|Bad Gateway|Gateway Time-?out|on the remote side|temporarily unavailable|not responding|banner exchange|failed to start SSH|cannot connect to|unexpected end-of-file|lost connection|mux_client|fatal error in commit_refs|is currently unavailable|ERROR: Internal error|expected .(packfile|acknowledgments)|Failed sending data to the peer|Failure when receiving data|read error: Software caused|stream [0-9]+ was reset|Server aborted the SSL|bad pack header|bad band|inflate returned|inflate: data stream error
unreachable connect to host
RULES
  trouble error machine "git failed (exit code $status): $(cause "$file")"
}

# From GitHub's answer to a REST request.
github_trouble() { # STATUS HEADERS BODY
  local code=$1 said wait
  said=$(jq -r 'if type == "object" then .message // empty else empty end | strings' "$3" 2>/dev/null | quotable) || said=
  local quote=${said:+: $said}

  case $code in
  301 | 302 | 307 | 308) trouble moved server "The repository was renamed or transferred$quote" ;;
  401) trouble token machine "GitHub refuses the token: it has expired or was revoked$quote" ;;
  404) trouble not-found machine "The repository does not exist, or the token may not read it$quote" ;;
  451) trouble blocked server "GitHub has closed the repository$quote" ;;
  403 | 429)
    wait=$(github_wait "$2")
    # Words first: a secondary limit comes with none of the headers of the primary one, and with requests left.
    if grep -qiE 'secondary rate limit|abuse detection|too quickly' <<<"$said"; then
      trouble rate-limit server "GitHub asks for fewer requests$quote" "$wait"
    elif [[ $code == 429 || $(response_header "$2" x-ratelimit-remaining) == 0 || -n $(response_header "$2" retry-after) ]] ||
      grep -qiE 'rate limit|throttled' <<<"$said"; then
      trouble rate-limit server "GitHub's limit of requests is used up$quote" "$wait"
    elif [[ -n $(response_header "$2" x-github-sso) ]] || grep -qiE 'SAML|single sign-on' <<<"$said"; then
      trouble sso machine "The organization asks for single sign-on: authorize the token at https://github.com/settings/tokens, Configure SSO$quote"
    elif grep -qiE 'IP allow ?list' <<<"$said"; then
      trouble ip-list machine "The organization's IP allow list keeps this machine out: add the machine's address to it$quote"
    elif grep -qiE 'forbids access via|lifetime|has enabled or enforced|access restrictions' <<<"$said"; then
      trouble policy machine "The organization does not take tokens of this kind: make one that its policy allows$quote"
    elif grep -qiE 'login attempts' <<<"$said"; then
      trouble token machine "GitHub refuses the token, and so often that it no longer looks: it has expired or was revoked$quote"
    elif grep -qiE 'access blocked|suspended|disabled' <<<"$said"; then
      trouble blocked server "GitHub has closed the repository or the account$quote"
    else
      trouble token machine "GitHub forbids reading the repository with this token: it needs Contents: read${quote:-.}"
    fi
    ;;
  5??) trouble server server "GitHub answers with status $code$quote" ;;
  *) trouble error machine "GitHub answers with status $code$quote" ;;
  esac
}

response_header() { # FILE NAME, of the last response
  sed -n "s/^$2: *//Ip" "$1" 2>/dev/null | tr -d '\r' | tail -n 1
}

# Seconds until GitHub wants to be asked again: a minute where it names no time.
github_wait() { # HEADERS
  local asked now seconds=60
  # By GitHub's clock, whose times they are: this machine's may be wrong.
  now=$(response_header "$1" date)
  [[ -n $now ]] && now=$(date --date "$now" +%s 2>/dev/null) || now=${NOW:-$(date +%s)}
  asked=$(response_header "$1" retry-after)
  if [[ $asked =~ ^[0-9]{1,9}$ ]]; then
    seconds=$((10#$asked))
  elif [[ $asked =~ ^[0-9]+$ ]]; then
    seconds=999999999
  # A date begins with the day's name; date takes -5 and 1.5 for times of this day.
  elif [[ $asked =~ ^[A-Za-z] ]] && asked=$(date --date "$asked" +%s 2>/dev/null); then
    seconds=$((asked - now))
  elif asked=$(response_header "$1" x-ratelimit-reset) && [[ $asked =~ ^[0-9]{1,12}$ &&
    $(response_header "$1" x-ratelimit-remaining) =~ ^0?$ ]]; then
    seconds=$((10#$asked - now))
  fi
  echo $((seconds < 0 ? 0 : seconds > 999999999 ? 999999999 : seconds))
}

# From the exit code of curl, which asked GitHub.
curl_trouble() { # STATUS FILE
  case $1 in
  28) trouble timeout server "GitHub did not answer in time." ;;
  35)
    # The handshake broke off: by the network, unless a certificate or a version is named.
    if grep -qiE 'reset|closed|timed out|unexpected eof|non-properly|pull function|SSL_ERROR_SYSCALL' "$2"; then
      trouble unreachable server "GitHub cannot be reached: $(cause "$2")"
    else
      trouble tls machine "No trusted connection to GitHub: $(cause "$2")"
    fi
    ;;
  51 | 53 | 54 | 58 | 59 | 60 | 66 | 77 | 80 | 82 | 83 | 90 | 91) trouble tls machine "No trusted connection to GitHub: $(cause "$2")" ;;
  23) trouble disk machine "GitHub's answer could not be written: $(cause "$2")" ;;
  137) trouble killed machine "curl was ended by SIGKILL (out of memory?)." ;;
  *) trouble unreachable server "GitHub cannot be reached: $(cause "$2")" ;;
  esac
}
