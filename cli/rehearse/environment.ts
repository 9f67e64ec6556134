import { mkdirSync } from "node:fs";
import { devNull } from "node:os";
import * as path from "node:path";

/**
 * The environment of everything that a rehearsal starts: what those programs keep (caches, logs, settings) goes to the
 * rehearsal's folder, and neither accounts nor personal settings of whoever runs it reach them.
 */
export function closedEnvironment(folder: string): NodeJS.ProcessEnv {
  const at = (name: string) => {
    const place = path.join(folder, name);
    mkdirSync(place, { recursive: true });
    return place;
  };
  const home = at("home");
  return {
    PATH: process.env["PATH"],
    LANG: "C.UTF-8",
    HOME: home,
    USERPROFILE: home,
    TMPDIR: at("tmp"),
    XDG_CACHE_HOME: at("home/.cache"),
    XDG_CONFIG_HOME: at("home/.config"),
    XDG_STATE_HOME: at("home/.local/state"),
    NODE_COMPILE_CACHE: at("home/.cache/node"),
    GIT_CONFIG_GLOBAL: devNull,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_AUTHOR_NAME: "Rehearsal",
    GIT_AUTHOR_EMAIL: "rehearsal@example.invalid",
    GIT_COMMITTER_NAME: "Rehearsal",
    GIT_COMMITTER_EMAIL: "rehearsal@example.invalid",
    // How Nix reaches the network and its certificates is the computer's business.
    ...inherited(
      "NIX_PATH",
      "NIX_SSL_CERT_FILE",
      "NIX_CONFIG",
      "NIX_REMOTE",
      "SSL_CERT_FILE",
      "https_proxy",
      "http_proxy",
      "no_proxy",
      "SystemRoot",
    ),
  };
}

function inherited(...names: string[]): NodeJS.ProcessEnv {
  return Object.fromEntries(
    names.filter((name) => process.env[name] !== undefined).map((name) => [name, process.env[name]]),
  );
}
