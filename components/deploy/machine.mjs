// @ts-check
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import { MachineReport, MOST_ANSWERED, readAnswers, StrangeAnswer } from "./answers.mjs";
import { DeploymentError, OutputTooLong } from "./errors.mjs";
import { hostName, isRunning } from "./privateFolder.mjs";
import { lastWords, sshTrouble } from "./ssh.mjs";
import { shortened } from "./text.mjs";
import { endedBy } from "./trouble.mjs";

export { MachineReport };

/** How long the lease lasts when nobody renews it, and how often it is renewed. */
const LEASE_SECONDS = 90;
const RENEWAL_SECONDS = 20;
/** More than the machine's own lock may take, and than a frozen link lives. */
const ANSWER_SECONDS = 50;
const ATTEMPTS = 3;
/** A build may say more. */
const MOST_TALK = 16 * 2 ** 20;
/** At most; the automatic upgrade, for which nobody waits, takes longer. */
const HEALTH_SECONDS = 15;
/** What the scripts of remote/ have before them, and what single ones use beside it. */
const SHARED = ["shared/protocol.sh", "common.sh", "shared/checks.sh", "shared/system.sh", "shared/units.sh"];
/** @type {Record<string, string[]>} */
const PARTS = { "guard.sh": ["rollback.sh"] };

/** The connection failed, so it is not known what the machine did. */
export class ConnectionFailed extends DeploymentError {
  /** @param {string} stderr what ssh said */
  constructor(stderr) {
    const cause = shortened(lastWords(stderr), 500) || "ssh gave no reason";
    super(`The connection to the machine failed: ${cause}`);
    this.cause = cause;
    this.trouble = sshTrouble(stderr) ?? "other";
  }
}

/** The machine, as its root reaches it over SSH: one method for each thing that a script of remote/ does there. */
export class Machine {
  /** Says whose lease and whose guard it is. */
  token = randomBytes(12).toString("hex");
  holder = `${userName()}@${hostName()} process ${process.pid}`;
  /** @type {NodeJS.Timeout | undefined} */
  #renewal;

  /**
   * @param {import("./process.mjs").Processes} processes
   * @param {string} host
   * @param {string} sshConfig path of the configuration file
   */
  constructor(processes, host, sshConfig) {
    this.processes = processes;
    this.host = host;
    this.sshConfig = sshConfig;
  }

  /** What is there. Never asked twice: whoever waits for the machine does that. */
  probe() {
    return this.#once("probe.sh", ["probe"]);
  }

  /** @param {string} deadToken of a deployment that is known to be dead */
  takeLease(deadToken) {
    return this.#ask("lease.sh", ["take_lease", this.token, String(LEASE_SECONDS), this.holder, deadToken]);
  }

  /**
   * Renews the lease while something takes long.
   * @template T
   * @param {() => Promise<T>} work
   */
  async whileLeased(work) {
    const renew = async () => {
      const answers = await this.#once("lease.sh", [
        "renew_lease",
        this.token,
        String(LEASE_SECONDS),
        this.holder,
      ]).catch(() => undefined);
      if (answers?.has("lost")) await this.processes.stop(leaseLost(answers));
    };
    this.#renewal = setInterval(() => void renew(), RENEWAL_SECONDS * 1000);
    try {
      return await work();
    } finally {
      clearInterval(this.#renewal);
    }
  }

  /**
   * Asked once: whoever builds says when it begins again.
   * @param {string} derivation
   * @param {string[]} options of nix-store
   */
  build(derivation, options) {
    const patient = {
      keepInput: true,
      timeoutSeconds: undefined,
      mostTalk: undefined,
      called: "The build on the machine",
    };
    return this.#once("build.sh", ["build", derivation, ...options], patient);
  }

  /**
   * @param {string} system
   * @param {string} revision of the branch that the machine follows, or "-"
   * @param {Pick<import("./settings.mjs").Settings, "switchSeconds" | "confirmSeconds">} settings
   */
  arm(system, revision, { switchSeconds, confirmSeconds }) {
    const seconds = [switchSeconds, confirmSeconds].map(String);
    return this.#ask("guard.sh", ["arm", this.token, system, ...seconds, revision, this.holder, guardScript()]);
  }

  /**
   * Keeps the system if the switch is over and its units are well; says where it stands. Always over a connection of
   * its own.
   * @param {string} system
   * @param {Pick<import("./settings.mjs").Settings, "derivation" | "confirmSeconds" | "allowFailedUnits">} settings
   */
  confirm(system, { derivation, confirmSeconds, allowFailedUnits }) {
    const seconds = healthSeconds(confirmSeconds);
    return this.#once("guard.sh", ["confirm", system, derivation, String(seconds), String(allowFailedUnits)]);
  }

  /**
   * Which packages differ between two systems that it has.
   * @param {string} before
   * @param {string} after
   */
  changes(before, after) {
    return this.#once("changes.sh", ["changes", before, after]);
  }

  /**
   * What the repository answers to the machine, within a time.
   * @param {number} seconds
   */
  repository(seconds) {
    return this.#once("repository.sh", ["repository", String(seconds)]);
  }

  /**
   * Whether it takes a system, where it takes only what was released.
   * @param {string} system
   */
  released(system) {
    return this.#ask("released.sh", ["released", system], { timeoutSeconds: 120 });
  }

  /**
   * Gives up the lease, and what the guard guards.
   * @param {{ token?: string, afterStop?: boolean }} [options] token: of another deployment, which is dead
   */
  abandon({ token = this.token, afterStop = false } = {}) {
    const call = ["abandon", token];
    if (!afterStop) return this.#ask("guard.sh", call);
    // Whoever interrupts a program does not wait a minute for it.
    return this.#once("guard.sh", call, { afterStop, timeoutSeconds: 15 });
  }

  /**
   * @param {string} file
   * @param {string[]} call
   * @param {import("./process.mjs").RunOptions} [options]
   */
  async #ask(file, call, options) {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#once(file, call, options);
      } catch (error) {
        // All that is asked may be asked twice.
        if (!(error instanceof ConnectionFailed) || error.trouble === "host-key" || attempt === ATTEMPTS) throw error;
        await this.processes.sleep(2 * attempt);
      }
    }
  }

  /**
   * @param {string} file
   * @param {string[]} call
   * @param {import("./process.mjs").RunOptions} [options]
   */
  async #once(file, call, options) {
    const args = ["-F", this.sshConfig, "-T", this.host, "bash -s"];
    // In braces, so that a call that arrives cut off is an error of syntax. After it, what is left of standard input is
    // not for the shell.
    const input = `${scripts(file)}\n{ ${call.map(quoted).join(" ")}; exit; }\n`;
    const limits = { timeoutSeconds: ANSWER_SECONDS, mostOutput: MOST_ANSWERED, mostTalk: MOST_TALK };
    const result = await this.processes.run("ssh", args, { ...limits, input, ...options }).catch((error) => {
      throw error instanceof OutputTooLong ? new StrangeAnswer("it does not end.") : error;
    });
    if (result.code === 255 || result.code === null) throw new ConnectionFailed(result.stderr);
    if (result.code !== 0) {
      throw new DeploymentError(`A command on the machine failed: ${call[0]} ${endedBy(result)}.`, {
        details: result.stderr,
      });
    }
    const answers = readAnswers(call[0] ?? "", result.stdout);
    const token = answers.get("leased");
    if (token !== "" && token !== this.token) throw new StrangeAnswer("it is that of another deployment.");
    return Object.assign(answers, { stderr: result.stderr });
  }
}

/** Plain text, as it becomes part of a line of words. */
function userName() {
  try {
    return os.userInfo().username.replaceAll(/[^A-Za-z0-9._-]/g, "-");
  } catch {
    return "somebody"; // A container's user may have no name.
  }
}

/** How long a system runs before its units are judged: a quarter of the time that a confirmation has. @param {number} confirmSeconds */
function healthSeconds(confirmSeconds) {
  return Math.min(HEALTH_SECONDS, Math.floor(confirmSeconds / 4));
}

/** What `arm` leaves on the machine, to be called with a function's name by systemd. */
export function guardScript() {
  return [scripts("guard.sh"), 'PATH=$(get "${0%/*}/path")\nexport PATH\n"$@"'].join("\n");
}

/** A script and what it is made of. @param {string} file */
export function scripts(file) {
  return [...SHARED, ...(PARTS[file] ?? []), file]
    .map((name) => fs.readFileSync(new URL(`remote/${name}`, import.meta.url), "utf8"))
    .join("\n");
}

/** A word of the shell. @param {string} word */
export function quoted(word) {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/**
 * A command that a person may paste: it runs these words on the machine, whatever signs they hold.
 * @param {string} host
 * @param {string[]} words
 */
export function commandOnMachine(host, words) {
  // The machine's shell reads it once more.
  const command = words.map(asWord).join(" ");
  return `ssh root@${asWord(host)} ${words.every(isPlain) ? command : quoted(command)}`;
}

/** A word of the shell, in quotes only where it needs them. @param {string} word */
export function asWord(word) {
  return isPlain(word) ? word : quoted(word);
}

/** @param {string} word */
function isPlain(word) {
  return /^[0-9A-Za-z@%_+=:,./-]+$/.test(word);
}

/**
 * Whether the deployment that has the lease ("<token> <until> <holder>") ran on this computer and is gone.
 * @param {string} lease
 */
export function isDead(lease) {
  const [, host, pid] = /^\S+ \d+ [^@]*@(\S+) process (\d+)$/.exec(lease) ?? [];
  return host === hostName() && !isRunning(Number(pid));
}

/** Who has the lease. @param {string} lease */
export function holderOf(lease) {
  return lease.split(" ").slice(2).join(" ");
}

/** @param {MachineReport} answers */
export function leaseLost(answers) {
  const holder = holderOf(answers.get("lost"));
  return new DeploymentError(
    holder === ""
      ? "The machine's lease ran out while the connection was gone, so an automatic upgrade may have begun."
      : `Another deployment has taken over: ${holder}.`,
    { advice: ["Nothing was switched. Run this again."] },
  );
}
