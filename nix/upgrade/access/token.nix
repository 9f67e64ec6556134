# By GitHub's REST API, with a personal access token.
{
  cfg,
  lib,
  slug,
  tokenConfig,
}:

let
  inherit (cfg) repository upgrade;
in
{
  remote = "https://api.github.com/repos/${slug}";
  flake = "github:${slug}/REVISION?dir=${upgrade.directory}";

  config = lib.mkMerge [
    {
      # With `include` a missing file would make every Nix command fail; the program that writes the
      # file lets nothing but a token through.
      nix.extraOptions = "!include ${tokenConfig}";

      warnings = lib.optional (repository.owner != "" && upgrade.tokenFile == null) ''
        The machine is to read its repository with a token, but there is none: nix/secrets.yaml with the secret github-access-token is missing. Run `npm run secrets token`.
      '';
    }

    (lib.mkIf (upgrade.tokenFile != null) {
      systemd.services.nixos-upgrade-token = {
        wantedBy = [ "multi-user.target" ];
        before = [ "nixos-upgrade.service" ];
        # Where secrets are opened by a unit and not while activating.
        after = [ "sops-install-secrets.service" ];
        serviceConfig = {
          Type = "oneshot";
          RemainAfterExit = true;
          ExecStart = lib.getExe upgrade.programs.token;
        };
      };
    })
  ];
}
