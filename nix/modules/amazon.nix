# What a machine on Elastic Compute Cloud needs beyond NixOS's own module for it.
{
  config,
  lib,
  modulesPath,
  pkgs,
  ...
}:

let
  cfg = config.pulumiNixos.amazon;
  machineKey = config.pulumiNixos.machineKey;

  rootKey = pkgs.writeShellApplication {
    name = "root-key-follows-machine-key";
    runtimeInputs = [
      pkgs.coreutils
      pkgs.gnugrep
      pkgs.openssh
    ];
    text = builtins.readFile ./rootKey.sh;
  };
in
{
  imports = [
    # NixOS's own module has no switch: it is there as soon as this one is imported.
    "${modulesPath}/virtualisation/amazon-image.nix"
    (import ./part.nix {
      name = "amazon";
      description = "Whether to add what Elastic Compute Cloud's image lacks.";
      renamed = [ "amazon.rootKeyFollowsMachineKey" ];
    })
    (lib.mkRenamedOptionModule
      [ "continuousDeployment" "amazon" "machineKey" ]
      [ "pulumiNixos" "machineKey" ]
    )
  ];

  options.pulumiNixos.amazon = {
    rootKeyFollowsMachineKey = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = ''
        Whether root's authorized key follows
        {option}`pulumiNixos.machineKey`, where that is the key that root was given
        first. The image installs the key pair's public key only where root has no authorized keys
        yet, so without this a key that was rotated never reaches a running machine. A machine that
        root enters with another key is left alone.
      '';
    };
  };

  config = lib.mkIf (cfg.enable && cfg.rootKeyFollowsMachineKey) {
    systemd.services.root-key-follows-machine-key = {
      description = "Give root the public half of the machine's key as authorized key";
      wantedBy = [ "multi-user.target" ];
      # The image's own service writes root's first authorized key; two writers would race.
      after = [ "apply-ec2-data.service" ];
      environment.MACHINE_KEY = machineKey;
      serviceConfig = {
        Type = "oneshot";
        ExecStart = lib.getExe rootKey;
        StateDirectory = "root-key";
      };
    };

    # User data replaces the file at boot, after multi-user.target: watched, not only read at start.
    systemd.paths.root-key-follows-machine-key = {
      description = "Watch the machine's key";
      wantedBy = [ "paths.target" ];
      pathConfig.PathChanged = machineKey;
    };
  };
}
