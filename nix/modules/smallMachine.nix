# Lets a machine with 2 GiB of memory and 20 GiB of disk evaluate and keep its own generations.
{
  config,
  lib,
  ...
}:

let
  cfg = config.pulumiNixos.smallMachine;
in
{
  imports = [
    (import ./part.nix {
      name = "smallMachine";
      description = "Whether to set the machine up for little memory and little disk.";
      renamed = [
        "smallMachine.enable"
        "smallMachine.swapMiB"
        "smallMachine.keepGenerations"
        "smallMachine.journalMiB"
      ];
    })
  ];

  options.pulumiNixos.smallMachine = {
    swapMiB = lib.mkOption {
      type = lib.types.ints.unsigned;
      default = 2048;
      description = "Size of the swap file in MiB; 0 makes none.";
    };

    keepGenerations = lib.mkOption {
      type = lib.types.ints.positive;
      default = 5;
      description = ''
        How many system generations stay when the store is cleaned, whatever their age. Each one
        that stays can be gone back to; by age alone, a machine that was quiet for weeks would be
        left with none.
      '';
    };

    journalMiB = lib.mkOption {
      type = lib.types.ints.positive;
      default = 200;
      description = "Largest size of the journal in MiB.";
    };
  };

  config = lib.mkIf cfg.enable {
    # Evaluating a NixOS system takes a little over a gigabyte. Compressed memory is used before
    # the swap file, which is slow on a network disk.
    zramSwap.enable = lib.mkDefault true;
    swapDevices = lib.mkIf (cfg.swapMiB > 0) [
      {
        device = "/swapfile";
        size = cfg.swapMiB;
      }
    ];

    nix = {
      gc = {
        automatic = lib.mkDefault true;
        dates = lib.mkDefault "daily";
        # No age here: what may go is decided by number, below.
        options = lib.mkDefault "";
      };
      # Before the weekly or daily cleaning comes round, a build that runs out of space frees some.
      settings.min-free = lib.mkDefault (1024 * 1024 * 1024);
      settings.max-free = lib.mkDefault (3 * 1024 * 1024 * 1024);
    };

    systemd.services.nix-gc.preStart = ''
      ${config.nix.package}/bin/nix-env --profile /nix/var/nix/profiles/system \
        --delete-generations +${toString cfg.keepGenerations}
    '';

    # Kernels of generations that are gone would fill /boot.
    boot.loader.grub.configurationLimit = lib.mkDefault cfg.keepGenerations;

    # A drop-in file and not NixOS's option, whose name changes with release 26.11.
    environment.etc."systemd/journald.conf.d/size.conf".text = ''
      [Journal]
      SystemMaxUse=${toString cfg.journalMiB}M
    '';
    # Otherwise it counts from the next boot on: NixOS restarts the journal for its own file alone.
    systemd.services.systemd-journald.restartTriggers = [ (toString cfg.journalMiB) ];

    # The manual on the machine takes space and time to build, and is on the web.
    documentation.nixos.enable = lib.mkDefault false;
  };
}
