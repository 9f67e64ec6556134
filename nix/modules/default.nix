# All modules together. Wiring only: what one module must know of another.
{ config, lib, ... }:

let
  cfg = config.continuousDeployment;
in
{
  imports = [
    ./amazon.nix
    ./hardening.nix
    ./secrets.nix
    ./smallMachine.nix
    ./upgrade.nix
    ./web.nix
  ];

  config = lib.mkMerge [
    # The token is a secret like any other; the upgrade only has to know where it lies.
    (lib.mkIf (cfg.repository.access == "token" && cfg.secrets.file != null) {
      sops.secrets.github-access-token.restartUnits = [ "nixos-upgrade-token.service" ];
      continuousDeployment.upgrade.tokenFile = lib.mkDefault config.sops.secrets.github-access-token.path;
    })

    # A new system that breaks the page is taken back, like one that breaks SSH.
    (lib.mkIf cfg.web.enable {
      continuousDeployment.upgrade.health = {
        units = [ "nginx.service" ];
        url = lib.mkDefault "http://127.0.0.1/status.json";
      };
    })
  ];
}
