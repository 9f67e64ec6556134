import { guardScript, quoted, scripts } from "../../../components/deploy/machine.mjs";
import type { Machine } from "./machine";
import type { Result } from "../processes";

/** How long a switch and its confirmation may take. */
export interface Times {
  switchSeconds?: number;
  confirmSeconds?: number;
}

/** What a deployment says to the machine: its scripts, and how it calls what has another name in another version. */
export interface Voice {
  scripts(file: string): string;
  guardScript(): string;
  takeLease: string;
  /** What a confirmation has after system and derivation. */
  confirmation(seconds: number): string[];
}

const today: Voice = {
  scripts,
  guardScript,
  takeLease: "take_lease",
  confirmation: (seconds) => [String(seconds), "false"],
};

/**
 * The guard of a deployment without a deployment: the scripts that one sends to the machine, called one by one as over a
 * connection. So a test can stop, kill and take the power away between any two of them.
 */
export class Guard {
  readonly token = "0123456789abcdef01234567";

  constructor(
    readonly machine: Machine,
    private readonly voice: Voice = today,
  ) {}

  /** Calls a function of a script, in the environment of a login. */
  async call(file: "guard.sh" | "lease.sh" | "probe.sh", ...words: string[]): Promise<Result> {
    const PATH = "/run/wrappers/bin:/nix/var/nix/profiles/default/bin:/run/current-system/sw/bin";
    return await this.machine.run(`exec env -i HOME=/root PATH=${PATH} /run/current-system/sw/bin/bash -s`, {
      input: `${this.voice.scripts(file)}\n{ ${words.map(quoted).join(" ")}; exit; }\n`,
    });
  }

  /** Calls a function that is killed before it comes to a command that begins so. */
  async killedAt(command: string, file: "guard.sh" | "lease.sh", ...words: string[]): Promise<Result> {
    const trap = `set -T; trap '[[ $BASH_COMMAND != ${command.replaceAll(" ", "?")}* ]] || kill -KILL $$' DEBUG`;
    return await this.machine.run("exec env -i HOME=/root PATH=/run/current-system/sw/bin bash -s", {
      input: `${this.voice.scripts(file)}\n${trap}\n{ ${words.map(quoted).join(" ")}; exit; }\n`,
    });
  }

  /** What a script answers by a name. */
  async answer(name: string, file: "guard.sh" | "lease.sh" | "probe.sh", ...words: string[]): Promise<string[]> {
    const { stdout } = await this.call(file, ...words);
    return [...stdout.matchAll(/^nixos-deploy (\S+) (.*)$/gm)].flatMap(([, found, value]) =>
      found === name ? [value ?? ""] : [],
    );
  }

  /** Builds a system of the machine's own copy of the flake. */
  async build(attribute = "default"): Promise<string> {
    return await this.machine.output(
      `nix build --no-link --print-out-paths path:/etc/bench/flake#nixosConfigurations.${attribute}.config.system.build.toplevel`,
    );
  }

  takeLease(): Promise<Result> {
    return this.call("lease.sh", this.voice.takeLease, this.token, "90", "me@here process 1", "-");
  }

  async arm(system: string, { switchSeconds = 60, confirmSeconds = 60 }: Times = {}): Promise<Result> {
    await this.takeLease();
    return await this.call("guard.sh", ...this.arming(system, switchSeconds, confirmSeconds));
  }

  /** The call that arms it. */
  arming(system: string, ...seconds: number[]): string[] {
    return ["arm", this.token, system, ...seconds.map(String), "-", "me@here process 1", this.voice.guardScript()];
  }

  /** Switches as nixos-rebuild does. */
  switch(system: string, unit = "nixos-rebuild-switch-to-configuration"): Promise<Result> {
    return this.machine.run(`nix-env --profile /nix/var/nix/profiles/system --set ${system}
      systemd-run --collect --pipe --quiet --service-type=exec --unit=${unit} ${system}/bin/switch-to-configuration switch`);
  }

  confirm(system: string, seconds = 0): Promise<Result> {
    return this.call("guard.sh", "confirm", system, "/nix/store/a.drv", ...this.voice.confirmation(seconds));
  }

  state(): Promise<string> {
    return this.machine.output("cat /run/nixos-deploy/guard/state 2>/dev/null || echo none");
  }
}
