# All modules together. Wiring only: what one module must know of another.
{
  config,
  lib,
  options,
  ...
}:

let
  cfg = config.pulumiNixos;
in
{
  imports = [
    ./amazon.nix
    ./hardening.nix
    ./secrets.nix
    ./smallMachine.nix
    ./upgrade
    ./web.nix
  ];

  options.pulumiNixos.enable = lib.mkOption {
    type = lib.types.bool;
    default = false;
    description = ''
      Whether all modules of pulumi-nixos are on: each whose own `enable` says nothing else. The
      upgrade waits until the repository has an owner.
    '';
  };

  config = lib.mkMerge [
    # Said by nobody, it decides nothing in this version: see part.nix.
    (lib.mkIf (options.pulumiNixos.enable.highestPrio < 1500) {
      pulumiNixos =
        lib.genAttrs
          [
            "amazon"
            "hardening"
            "secrets"
            "smallMachine"
            "web"
          ]
          (_: {
            enable = lib.mkDefault cfg.enable;
          })
        // {
          upgrade.enable = lib.mkDefault (cfg.enable && cfg.repository.owner != "");
        };
    })

    # The token is a secret like any other; the upgrade only has to know where it lies.
    (lib.mkIf (cfg.repository.access == "token" && cfg.secrets.enable && cfg.secrets.file != null) {
      sops.secrets.github-access-token.restartUnits = [ "nixos-upgrade-token.service" ];
      pulumiNixos.upgrade.tokenFile = lib.mkDefault config.sops.secrets.github-access-token.path;
    })

    # A new system that breaks the page is taken back, like one that breaks SSH.
    (lib.mkIf cfg.web.enable {
      pulumiNixos.upgrade.health = {
        units = [ "nginx.service" ];
        url = lib.mkDefault "http://127.0.0.1/status.json";
      };
    })
  ];
}
