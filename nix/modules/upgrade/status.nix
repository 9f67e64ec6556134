# What the machine says of itself.
{
  config,
  lib,
  ...
}:

let
  inherit (lib) mkOption types;

  cfg = config.pulumiNixos.upgrade;
  inherit (config.pulumiNixos) repository;
in
{
  imports = [
    (import ../renamed.nix [
      "upgrade.status.linkCommit"
      "upgrade.status.details"
    ])
  ];

  options.pulumiNixos.upgrade.status = {
    linkCommit = mkOption {
      type = types.bool;
      default = true;
      description = ''
        Whether the page links to the commit that runs. The link names the repository; what is
        behind it GitHub shows only to those who may read it.
      '';
    };
    details = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether the page and `/status.json` also show the text of errors. It can name units,
        files and addresses, and everybody can read the page.
      '';
    };
  };

  # The page shows the state also where upgrades are off.
  config = {
    pulumiNixos.upgrade.settings = {
      UPGRADE_PUBLIC = "/run/nixos-upgrade/public";
      UPGRADE_COMMIT_URL = lib.optionalString cfg.status.linkCommit "https://github.com/${repository.owner}/${repository.name}/commit/";
      UPGRADE_DETAILS = lib.boolToString cfg.status.details;
    };

    systemd.tmpfiles.rules = [
      "d /run/nixos-upgrade 0755 root root -"
      "d /run/nixos-upgrade/public 0755 root root -"
    ];
    systemd.services.nixos-upgrade-status = {
      description = "Write the machine's state for its page";
      wantedBy = [ "multi-user.target" ];
      serviceConfig = {
        Type = "oneshot";
        ExecStart = lib.getExe cfg.programs.status;
      };
    };
    environment.systemPackages = [
      cfg.programs.status
      cfg.programs.probe
    ];
  };
}
