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
  tokenConfig = "/run/nixos-upgrade/access-token.conf";

  ways = lib.mapAttrs (
    _: way:
    way {
      inherit lib tokenConfig;
      cfg = config.pulumiNixos;
      slug = "${repository.owner}/${repository.name}";
    }
  ) (import ../../upgrade/access);
  way = ways.${repository.access};
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
      default = way.remote;
      defaultText = lib.literalMD "made from {option}`pulumiNixos.repository`";
      internal = true;
      description = "What is asked for the branch's revision: a git URL, or a repository of GitHub's REST API.";
    };

    flake = mkOption {
      type = types.str;
      default = way.flake;
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

  config = lib.mkMerge (
    [
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
      }
    ]
    # Whether a way is taken may not decide which options are set.
    ++ map (name: lib.mkIf (cfg.enable && repository.access == name) ways.${name}.config) (
      lib.attrNames ways
    )
  );
}
