# When the machine asks for a new revision and installs it, and what that may take.
{
  config,
  lib,
  ...
}:

let
  inherit (lib) mkOption types;

  cfg = config.pulumiNixos.upgrade;
  network = import ./network.nix;
in
{
  imports = [
    ./autoUpgrade.nix
    ./flags.nix
    (import ../renamed.nix [
      "upgrade.dates"
      "upgrade.randomizedDelaySec"
      "upgrade.retrySeconds"
      "upgrade.switchSeconds"
      "upgrade.allowRewrittenHistory"
    ])
  ];

  options.pulumiNixos.upgrade = {
    dates = mkOption {
      type = types.str;
      default = "minutely";
      example = "*:0/15";
      description = "When to look for a new revision, as {manpage}`systemd.time(7)` calendar event.";
    };

    randomizedDelaySec = mkOption {
      type = types.str;
      default = "5s";
      example = "10min";
      description = "Longest random delay of each look, so that many machines do not ask at once.";
    };

    retrySeconds = mkOption {
      type = types.ints.positive;
      default = 3600;
      description = "After how many seconds a revision that failed is tried again, unless the branch moves before.";
    };

    switchSeconds = mkOption {
      type = types.ints.positive;
      default = 600;
      description = "How many seconds the activation of a new system may take before it counts as failed.";
    };

    allowRewrittenHistory = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether to install a revision that does not lead on from the one installed last, as after
        a forced push. Without it the machine stays where it is, and a deployment
        (`pulumi up`) is the way to such a revision.
      '';
    };
  };

  config = lib.mkMerge [
    {
      pulumiNixos.upgrade.settings = {
        UPGRADE_DATES = cfg.dates;
        UPGRADE_RETRY_SECONDS = toString cfg.retrySeconds;
        UPGRADE_SWITCH_SECONDS = toString cfg.switchSeconds;
        UPGRADE_ALLOW_REWRITTEN_HISTORY = lib.boolToString cfg.allowRewrittenHistory;
      };
    }

    (lib.mkIf cfg.enable {
      systemd.services.nixos-upgrade = network // {
        description = "Install the newest revision of the repository";
        # A switch must not stop the program that makes it.
        restartIfChanged = false;
        unitConfig.X-StopOnRemoval = false;
        # A person who starts it often by hand would hit systemd's limit, and the timer with it, which
        # then stays failed for ever.
        unitConfig.StartLimitIntervalSec = 0;
        environment = {
          HOME = "/root";
          # Builds belong to the daemon: the limits below are for the evaluation.
          NIX_REMOTE = "daemon";
        };
        serviceConfig = {
          Type = "oneshot";
          ExecStart = lib.getExe cfg.programs.upgrade;
          # Killed in the middle of a switch, it has that to end, and its timer may be a day away.
          Restart = "on-abnormal";
          RestartSec = 10;
          StateDirectory = "nixos-upgrade";
          StateDirectoryMode = "0700";
          TimeoutStartSec = lib.mkDefault "3h";
          # Evaluating takes about 1.1 GB. Beyond these limits it is slowed down and sent to swap, so
          # that what the machine is there for keeps its memory; and it is the first to go.
          MemoryHigh = lib.mkDefault "60%";
          MemoryMax = lib.mkDefault "80%";
          OOMScoreAdjust = lib.mkDefault 500;
          # An evaluation that is killed for its memory is a failed revision like any other: the
          # program must live to write that down, or it would be tried again every minute.
          OOMPolicy = "continue";
          CPUWeight = lib.mkDefault 50;
          IOWeight = lib.mkDefault 50;
        };
      };
      systemd.timers.nixos-upgrade = {
        description = "Look for a new revision of the repository";
        wantedBy = [ "timers.target" ];
        timerConfig = {
          OnCalendar = cfg.dates;
          RandomizedDelaySec = cfg.randomizedDelaySec;
          AccuracySec = "1s";
        };
      };
    })
  ];
}
