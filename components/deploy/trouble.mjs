// @ts-check
/**
 * What went wrong with git or ssh, from how the program ended and what it said: the one place for the deployment program and
 * the commands. The machine has the same rules in nix/upgrade/trouble.sh; the table test/trouble/git.json is run through both.
 */
import { shortened, escapeInvisible, withoutSecrets } from "./text.mjs";

/**
 * @typedef {"timeout" | "missing" | "killed" | "disk" | "ownership" | "host-key" | "identity" | "rate-limit" | "sso" |
 *   "ip-list" | "blocked" | "not-found" | "denied" | "noise" | "unreachable" | "tls" | "server" | "error"} GitTrouble
 *
 * @typedef {object} Trouble
 * @property {GitTrouble} kind
 * @property {"server" | "machine"} fault "server": the network's, GitHub's or its limits', which nothing here can help
 * @property {number | undefined} wait seconds to wait at least before another try; undefined: as usual
 * @property {string} said the sentence of the other side that names the cause; empty without one
 * @property {string} found what is wrong, with that sentence, in one line
 * @property {string} remedy the way out
 */

/** The order matters: a refusal is followed by lines that look like a broken connection. @type {[GitTrouble, RegExp][]} */
const RULES = [
  ["disk", /No space left on device|Disk quota exceeded|file write error/i],
  ["ownership", /dubious ownership|unsafe repository/i],
  ["error", /cannot fork|unable to create thread|Out of memory|Cannot allocate memory/i],
  [
    "host-key",
    /Host key for [^ ]+ has changed|Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|no matching host key type|No [^ ]+ host key is known/i,
  ],
  ["identity", /Identity file .* not accessible|no such identity|Load key |UNPROTECTED PRIVATE KEY FILE/i],
  ["rate-limit", /rate limit|Too many requests|returned error: 429/i],
  ["sso", /SAML SSO|single sign-on/i],
  ["ip-list", /IP allow ?list/i],
  [
    "blocked",
    /access to this repository has been (disabled|blocked)|Repository access blocked|Repository '[^']*' is disabled|account (is|was) (suspended|disabled)|DMCA|returned error: 451/i,
  ],
  [
    "not-found",
    /Repository not found|repository '[^']*' not found|does not appear to be a git repository|returned error: 404/i,
  ],
  [
    "denied",
    /sign_and_send_pubkey|SSH key audit|RSA key with SHA-1|Permission to [^ ]* denied|Permission denied \(|Too many authentication failures|Authentication failed|could not read Username|returned error: 40[13]/i,
  ],
  ["noise", /bad line length character|protocol mismatch|protocol error: unexpected/i],
  [
    "unreachable",
    /Could not resolve|Name or service not known|Temporary failure in name resolution|nodename nor servname|Connection refused|timed out|No route to host|Network is unreachable|Host is down|Failed to connect to|non-properly terminated|Error in the pull function|SSL_ERROR_SYSCALL|unexpected eof while|Connection was reset|Empty reply|proxy after CONNECT|CONNECT tunnel failed|CONNECT aborted|Operation too slow|stdio forwarding failed|channel [0-9]+: open failed|SSL connection timeout|getaddrinfo [^ ]+: System error/i,
  ],
  ["tls", /certificate|trust anchors|SSL CA cert|TLS (alert|connect)|gnutls_handshake/i],
  [
    "server",
    /kex_exchange_identification|ssh_dispatch_run_fatal|Corrupted MAC|Bad packet length|Received disconnect|Connection (closed|reset)|Broken pipe|closed by remote host|hung up|early EOF|unexpected disconnect|expected flush|transfer closed|not closed cleanly|HTTP2 framing|RPC failed|returned error: 5[0-9][0-9]|Internal Server Error|no healthy upstream|Service Unavailable|Bad Gateway|Gateway Time-?out|on the remote side|temporarily unavailable|not responding|banner exchange|failed to start SSH|cannot connect to|unexpected end-of-file|lost connection|mux_client|fatal error in commit_refs|is currently unavailable|ERROR: Internal error|expected .(packfile|acknowledgments)|Failed sending data to the peer|Failure when receiving data|read error: Software caused|stream [0-9]+ was reset|Server aborted the SSL|bad pack header|bad band|inflate returned|inflate: data stream error/i,
  ],
  ["unreachable", /connect to host/i],
];

/** Nobody here can help it, and it may be over in a minute. @type {GitTrouble[]} */
const SERVERS = ["timeout", "rate-limit", "blocked", "unreachable", "server"];

/** @type {Record<GitTrouble, [string, string]>} */
const WORDS = {
  timeout: ["did not answer in time", "Check the network and https://www.githubstatus.com, then run this again."],
  missing: ["was not found", "Install Git from https://git-scm.com."],
  killed: ["was ended", "Look for what ended it: dmesg shows the kernel's own kills for want of memory."],
  disk: ["met a full disk", "Make room, and run this again."],
  ownership: [
    "does not trust the folder, which belongs to another user",
    "If it is yours, say so once: git config --global --add safe.directory",
  ],
  "host-key": [
    "met another host key than the known one",
    "Compare it with GitHub's: https://docs.github.com/authentication/keeping-your-account-and-data-secure/githubs-ssh-key-fingerprints",
  ],
  identity: ["cannot read the private key", "Check the key's file and its mode (0400)."],
  "rate-limit": ["asked too often", "Wait a minute and run this again."],
  sso: [
    "was refused: the organization asks for single sign-on",
    "Authorize the key or the token for it: https://github.com/settings/keys, Configure SSO.",
  ],
  "ip-list": [
    "was refused: the organization's IP allow list does not have this address",
    "Ask an owner of the organization to add it.",
  ],
  blocked: [
    "was refused: GitHub has closed the repository",
    "The owner hears why from GitHub: https://support.github.com",
  ],
  "not-found": [
    "found no such repository, or one that this key or token may not read",
    "Check the name, and the key or token.",
  ],
  denied: ["was refused the login", "Check which key or token is used: ssh -T git@github.com"],
  noise: [
    "met a login shell that prints something, which is taken for the protocol",
    "Let the other end's .bashrc and its like be silent without a terminal.",
  ],
  unreachable: ["cannot reach the server", "Check the network and https://www.githubstatus.com, then run this again."],
  tls: ["got no trusted connection", "Check the time of this computer and its certificates; a proxy may have its own."],
  server: ["was cut off by the server", "See https://www.githubstatus.com and run this again in a few minutes."],
  error: ["failed", ""],
};

/**
 * @param {{ code: number | null, signal?: NodeJS.Signals | string | null, stderr: string, timedOut?: boolean }} ended
 * @param {string} [program] how it is called in the sentence
 * @returns {Trouble}
 */
export function gitTrouble(ended, program = "git") {
  const { stderr } = ended;
  const { kind, pattern } = kindOf(ended);
  const said = pattern === null ? "" : cause(stderr, pattern);
  const [what, remedy] = WORDS[kind];
  const how = kind === "killed" ? endedBy(ended) : kind === "error" ? `failed (exit code ${ended.code})` : what;
  return {
    kind,
    fault: SERVERS.includes(kind) ? "server" : "machine",
    wait: kind === "rate-limit" ? 60 : undefined,
    said,
    found: `${program} ${how}${said === "" ? "" : `: ${said}`}`,
    remedy: kind === "ownership" ? `${remedy} ${/'([^']+)'/.exec(said)?.[1] ?? "FOLDER"}` : remedy,
  };
}

/**
 * @param {{ code: number | null, signal?: string | null, stderr: string, timedOut?: boolean }} ended
 * @returns {{ kind: GitTrouble, pattern: RegExp | undefined | null }} the pattern of its line; null: none says more
 */
function kindOf({ code, signal, stderr, timedOut }) {
  if (timedOut || code === 124) return { kind: "timeout", pattern: null };
  if (code === 127) return { kind: "missing", pattern: undefined };
  if (signal || code === 137 || code === 143) return { kind: "killed", pattern: null };
  const rule = RULES.find(([, pattern]) => pattern.test(stderr));
  return rule === undefined ? { kind: "error", pattern: undefined } : { kind: rule[0], pattern: rule[1] };
}

/**
 * How a program ended, to stand behind its name: "ended with exit code 1", "was ended by SIGKILL (out of memory?)".
 * @param {{ code: number | null, signal?: string | null }} ended
 */
export function endedBy({ code, signal }) {
  const by = signal ?? (code === 137 ? "SIGKILL" : code === 143 ? "SIGTERM" : undefined);
  if (by === undefined) return `ended with exit code ${code}`;
  return `was ended by ${by}${by === "SIGKILL" ? " (out of memory?)" : ""}`;
}

/** What Git and ssh add for everybody; it comes last, and says nothing of the cause. */
const CHATTER =
  /^\s*$|^@|^\*\* |^Warning: Permanently added|^hint:|^Please make sure you have the correct access|^and the repository exists|Could not read from remote repository|^remote: *$|^(?:remote: )?(?:Enumerating|Counting|Compressing|Receiving|Resolving)/;

/**
 * The line that names the cause, without what a terminal would obey and without secrets.
 * @param {string} stderr
 * @param {RegExp} [pattern] of the line that decided
 */
export function cause(stderr, pattern) {
  const lines = stderr.split(/[\r\n]/).filter((line) => !CHATTER.test(line));
  const line =
    lines.find((one) => pattern?.test(one)) ??
    lines.find((one) => /^(?:ERROR|fatal|error|remote|ssh|kex_exchange_identification)\b/.test(one)) ??
    lines.at(-1) ??
    "";
  return shortened(escapeInvisible(withoutSecrets(line.replace(/\s+/g, " ").trim())), 300);
}
