import { readFileSync } from "node:fs";
import path from "node:path";
import { PrivateFolder } from "../../components/deploy/privateFolder.mjs";
import { shortened } from "../../components/deploy/text.mjs";
import type { Settings } from "../../components/deploy/settings.mjs";
import { lastWords, type SshTrouble, sshTrouble, writeSshFiles } from "../../components/deploy/ssh.mjs";
import { readFacts, strangeAnswers } from "./machineFacts";
import { type Expected, machineReport } from "./machineReport";
import { failed, type Result } from "../common/result";
import type { Context } from "../common/context";

/** All that machine.sh says fits in a part of this. */
const MOST_ANSWERED = 2 ** 20;

/** How to reach a machine. */
export interface Address {
  host: string;
  port: number;
  /** The host key it must show. */
  hostKey: string;
  /** Secret. */
  loginKey: string;
}

/** Logs in with the pinned host key and reports what is there. The key lies in a private folder meanwhile. */
export async function checkMachine(context: Context, address: Address, expected: Expected): Promise<Result[]> {
  const folder = new PrivateFolder(context.env);
  try {
    // The other settings are a deployment's.
    const config = writeSshFiles({ ...address, buildOn: "host" } as Settings, folder);
    const ran = await context.run("ssh", ["-F", config, address.host, "bash", "-s"], {
      input: readFileSync(path.join(__dirname, "machine.sh"), "utf8"),
      timeoutSeconds: 120,
      mostOutput: MOST_ANSWERED,
    });
    if (ran.code !== 0) return [unreachable(address, ran.stderr, ran.timedOut)];
    const { facts, strange } = readFacts(ran.stdout);
    return [...strangeAnswers(strange), ...machineReport(facts, expected)];
  } finally {
    folder.remove();
  }
}

const REMEDIES: Record<SshTrouble, string> = {
  "host-key":
    "It is not the machine that this stack made, or its host key was changed by hand. Look at it in the EC2 console before anything else.",
  login: "The machine does not know the stack's key: see docs/secrets.md on rotation, or the EC2 console.",
  address: "The address does not resolve: `npx pulumi refresh` shows whether the machine still exists.",
  refused:
    "Nothing listens there: the machine is starting, or sshd does not run. Wait a minute, then look in the EC2 console.",
  silent: "Is this computer in sshCidrBlocks, and does the machine run? The EC2 console tells.",
  lost: "The connection broke off: run this again.",
  noise: "Let its startup files (~/.bashrc, /etc/profile) print nothing where there is no terminal.",
  other: "Log in by hand to see more: the output sshCommand says how.",
};

function unreachable({ host, port }: Address, stderr: string, timedOut: boolean): Result {
  const trouble = timedOut ? "silent" : (sshTrouble(stderr) ?? "other");
  const words = timedOut ? "no end within 2 minutes" : shortened(lastWords(stderr), 500) || "ssh failed without a word";
  return failed("login", `root@${host}, port ${port}: ${words}`, REMEDIES[trouble]);
}
