# How the machine reads its repository: what it asks, with which key or token, and which flake it takes from there.
{
  config,
  lib,
  ...
}:

let
  inherit (lib) mkOption types;

  cfg = config.pulumiNixos.upgrade;
  inherit (config.pulumiNixos) machineKey repository;
  slug = "${repository.owner}/${repository.name}";
  tokenConfig = "/run/nixos-upgrade/access-token.conf";
in
{
  imports = [
    ./repository.nix
    (import ../renamed.nix [
      "upgrade.remote"
      "upgrade.flake"
      "upgrade.directory"
      "upgrade.attribute"
      "upgrade.tokenFile"
    ])
    (lib.mkRenamedOptionModule
      [ "continuousDeployment" "upgrade" "identity" ]
      [ "pulumiNixos" "machineKey" ]
    )
  ];

  options.pulumiNixos.upgrade = {
    remote = mkOption {
      type = types.str;
      default =
        if repository.access == "token" then
          "https://api.github.com/repos/${slug}"
        else
          "ssh://git@github.com/${slug}";
      defaultText = lib.literalMD "made from {option}`pulumiNixos.repository`";
      internal = true;
      description = "What is asked for the branch's revision: a git URL, or a repository of GitHub's REST API.";
    };

    flake = mkOption {
      type = types.str;
      default =
        if repository.access == "token" then
          "github:${slug}/REVISION?dir=${cfg.directory}"
        else
          "git+ssh://git@github.com/${slug}?ref=${repository.branch}&rev=REVISION&dir=${cfg.directory}";
      defaultText = lib.literalMD "made from {option}`pulumiNixos.repository`";
      internal = true;
      description = "The flake reference, with REVISION where the revision goes.";
    };

    directory = mkOption {
      type = types.strMatching "[A-Za-z0-9._/-]+";
      default = "nix";
      description = "The folder of the repository that flake.nix is in.";
    };

    attribute = mkOption {
      type = types.strMatching "[A-Za-z0-9_.-]+";
      default = "default";
      description = "Which of the flake's `nixosConfigurations` this machine is.";
    };

    tokenFile = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "/run/secrets/github-access-token";
      description = ''
        The file that holds the token where `access` is `token`: bare, or as
        `extra-access-tokens = github.com=<token>`. Set by itself when the secret
        `github-access-token` is in the encrypted file.
      '';
    };
  };

  config = lib.mkMerge [
    {
      pulumiNixos.upgrade.settings = {
        UPGRADE_ACCESS = repository.access;
        UPGRADE_REMOTE = cfg.remote;
        UPGRADE_BRANCH = repository.branch;
        UPGRADE_FLAKE = cfg.flake;
        UPGRADE_ATTRIBUTE = cfg.attribute;
        UPGRADE_MACHINE_KEY = machineKey;
        UPGRADE_KNOWN_HOSTS = "${../../upgrade/github-known-hosts}";
        UPGRADE_TOKEN_FILE = if cfg.tokenFile == null then "" else cfg.tokenFile;
        UPGRADE_TOKEN_CONFIG = tokenConfig;
      };

      warnings =
        lib.optional
          (cfg.enable && repository.owner != "" && repository.access == "token" && cfg.tokenFile == null)
          ''
            The machine is to read its repository with a token, but there is none: nix/secrets.yaml with the secret github-access-token is missing. Run `npm run secrets token`.
          '';
    }

    (lib.mkIf (cfg.enable && repository.access == "deploy-key") {
      # For people who fetch the repository on the machine by hand, as root.
      programs.ssh.knownHostsFiles = [ ../../upgrade/github-known-hosts ];
      programs.ssh.extraConfig = ''
        Match localuser root host github.com
          IdentityFile ${machineKey}
          IdentitiesOnly yes
      '';
    })

    (lib.mkIf (cfg.enable && repository.access == "token") {
      # With `include` a missing file would make every Nix command fail; the program that writes the
      # file lets nothing but a token through.
      nix.extraOptions = "!include ${tokenConfig}";
    })

    (lib.mkIf (cfg.enable && repository.access == "token" && cfg.tokenFile != null) {
      systemd.services.nixos-upgrade-token = {
        description = "Check the token for the repository and hand it to Nix";
        wantedBy = [ "multi-user.target" ];
        before = [ "nixos-upgrade.service" ];
        # Where secrets are opened by a unit and not while activating.
        after = [ "sops-install-secrets.service" ];
        serviceConfig = {
          Type = "oneshot";
          RemainAfterExit = true;
          ExecStart = lib.getExe cfg.programs.token;
        };
      };
    })
  ];
}
