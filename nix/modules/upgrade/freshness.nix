# Whether the machine still is what its repository says, asked apart from the upgrade, which may be what is broken.
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
    (import ../renamed.nix [
      "upgrade.freshness.limitSeconds"
      "upgrade.freshness.tokenWarningDays"
      "upgrade.freshness.onFailure"
    ])
  ];

  options.pulumiNixos.upgrade.freshness = {
    limitSeconds = mkOption {
      type = types.ints.positive;
      default = 1800;
      description = ''
        For how many seconds the machine may be behind its branch, or unable to ask, before
        `nixos-upgrade-freshness.service` fails and the page turns red.
      '';
    };
    tokenWarningDays = mkOption {
      type = types.ints.unsigned;
      default = 7;
      description = "How many days before the end of the token the same happens.";
    };
    onFailure = mkOption {
      type = types.lines;
      default = "";
      example = ''curl --silent --data "$UPGRADE_PROBLEM" https://ntfy.example.org/my-machine'';
      description = ''
        Shell commands that tell somebody: run as root once for each new trouble, and once a day
        while it lasts. `UPGRADE_PROBLEM` says what it is.
      '';
    };
  };

  config = lib.mkMerge [
    {
      pulumiNixos.upgrade.settings = {
        UPGRADE_FRESH_SECONDS = toString cfg.freshness.limitSeconds;
        UPGRADE_TOKEN_WARNING_SECONDS = toString (cfg.freshness.tokenWarningDays * 24 * 60 * 60);
        UPGRADE_ON_FAILURE = cfg.freshness.onFailure;
      };
    }

    (lib.mkIf cfg.enable {
      systemd.services.nixos-upgrade-freshness = network // {
        description = "Is this machine still what its repository says?";
        unitConfig.StartLimitIntervalSec = 0;
        onFailure = lib.optional (cfg.freshness.onFailure != "") "nixos-upgrade-alert.service";
        restartIfChanged = false;
        serviceConfig = {
          Type = "oneshot";
          ExecStart = lib.getExe cfg.programs.probe;
          StateDirectory = "nixos-upgrade";
          StateDirectoryMode = "0700";
          TimeoutStartSec = "3min";
        };
      };
      systemd.timers.nixos-upgrade-freshness = {
        description = "Ask whether this machine is still what its repository says";
        wantedBy = [ "timers.target" ];
        timerConfig = {
          # A calendar, not a time since the last run: it goes on whatever became of that run.
          OnCalendar = "*:0/5";
          RandomizedDelaySec = "30s";
        };
      };

      systemd.services.nixos-upgrade-alert = lib.mkIf (cfg.freshness.onFailure != "") (
        network
        // {
          description = "Tell somebody that this machine no longer follows its repository";
          restartIfChanged = false;
          serviceConfig = {
            Type = "oneshot";
            ExecStart = lib.getExe cfg.programs.alert;
          };
        }
      );
    })
  ];
}
