# The machine installs by itself what its repository's branch says, and shows when it cannot.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  cfg = config.pulumiNixos.upgrade;
  protocol = lib.head (
    lib.concatMap (
      line:
      let
        version = builtins.match "PROTOCOL_VERSION=([0-9]+)" line;
      in
      if version == null then [ ] else version
    ) (lib.splitString "\n" (builtins.readFile ../../upgrade/shared/protocol.sh))
  );
  known = config.pulumiNixos.repository.owner != "";
in
{
  imports = [
    (import ../part.nix {
      name = "upgrade";
      description = ''
        Whether the machine installs new revisions by itself. A revision that would end this
        without saying `enable = false` is refused by the machine.
      '';
      renamed = [
        "upgrade.enable"
        "upgrade.settings"
      ];
      onByImport = config: config.pulumiNixos.repository.owner != "";
    })
    ./caches.nix
    ./checks.nix
    ./freshness.nix
    ./health.nix
    ./installation.nix
    ./reading.nix
    ./release.nix
    ./signatures.nix
    ./status.nix
  ];

  options.pulumiNixos.upgrade = {
    settings = lib.mkOption {
      type = lib.types.attrsOf lib.types.str;
      internal = true;
      description = "The environment of the upgrade's programs.";
    };

    programs = lib.mkOption {
      type = lib.types.attrsOf lib.types.package;
      internal = true;
      readOnly = true;
      default = import ../../upgrade {
        inherit lib pkgs;
        nix = config.nix.package;
        inherit (cfg) settings;
      };
      description = "The upgrade's programs, by name.";
    };
  };

  config = lib.mkMerge [
    {
      pulumiNixos.upgrade.settings = {
        UPGRADE_ENABLED = lib.boolToString cfg.enable;
        UPGRADE_STATE = "/var/lib/nixos-upgrade";
      };

      warnings = lib.optional (!known) ''
        The repository has no owner yet (nix/repository.json), so this machine will not upgrade itself. Run `npm run setup`.
      '';

      assertions = [
        {
          assertion = cfg.enable -> known;
          message = "pulumiNixos.upgrade.enable needs a repository: pulumiNixos.repository.owner is empty. Run `npm run setup`, which writes nix/repository.json.";
        }
      ];

      nix.settings.experimental-features = [
        "nix-command"
        "flakes"
      ];
    }

    # A system that says itself that it does not upgrade is believed by the one before it.
    (lib.mkIf (known && !cfg.enable) {
      environment.etc."nixos-upgrade/off".text = "pulumiNixos.upgrade.enable = false\n";
    })

    (lib.mkIf cfg.enable {
      # A deployment compares it with its own before it touches anything.
      environment.etc."nixos-upgrade/protocol".text = "${protocol}\n";
      # A deployment asks it before it confirms a switch.
      environment.etc."nixos-upgrade/remote".source = lib.getExe cfg.programs.remote;
    })
  ];
}
