# What a new system must do to be kept.
{
  config,
  lib,
  ...
}:

let
  inherit (lib) mkOption types;

  cfg = config.pulumiNixos.upgrade;
in
{
  imports = [
    (import ../renamed.nix [
      "upgrade.allowLockout"
      "upgrade.health.seconds"
      "upgrade.health.units"
      "upgrade.health.sshPort"
      "upgrade.health.url"
    ])
  ];

  options.pulumiNixos.upgrade = {
    allowLockout = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether a revision may take away the way in that deployments have: the SSH server, root's
        login or its keys, the open port. Without it the machine takes such a revision back.
      '';
    };

    health = {
      seconds = mkOption {
        type = types.ints.unsigned;
        default = 60;
        description = ''
          How many seconds a new system has to become healthy. It is judged when they are over:
          what fails and recovers before that is well.
        '';
      };
      units = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "postgresql.service" ];
        description = "Units that must be active after a switch. A unit that newly fails, or dies again and again, counts in any case.";
      };
      sshPort = mkOption {
        type = types.nullOr types.port;
        default = if config.services.openssh.enable then lib.head config.services.openssh.ports else null;
        defaultText = lib.literalMD "the first port of the SSH server, where there is one";
        description = "The port on which an SSH server must answer after a switch; null checks none.";
      };
      url = mkOption {
        type = types.nullOr types.str;
        default = null;
        description = "An address that must answer with a JSON object after a switch; null asks none.";
      };
    };
  };

  config = lib.mkMerge [
    {
      pulumiNixos.upgrade.settings = {
        UPGRADE_HEALTH_SECONDS = toString cfg.health.seconds;
        UPGRADE_HEALTH_UNITS = lib.concatStringsSep " " cfg.health.units;
        UPGRADE_HEALTH_SSH_PORT = lib.optionalString (cfg.health.sshPort != null) (
          toString cfg.health.sshPort
        );
        UPGRADE_HEALTH_URL = if cfg.health.url == null then "" else cfg.health.url;
      };
    }

    (lib.mkIf cfg.enable {
      # The system before runs this one's own check after the switch.
      environment.etc."nixos-upgrade/health".source = lib.getExe cfg.programs.health;
    })

    (lib.mkIf (cfg.enable && cfg.allowLockout) {
      environment.etc."nixos-upgrade/allow-lockout".text = "pulumiNixos.upgrade.allowLockout = true\n";
    })
  ];
}
