# Releases: what CI has built and signed, the machine only fetches. See docs/releases.md.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (lib) mkOption types;

  upgrade = config.pulumiNixos.upgrade;
  inherit (config.pulumiNixos) repository;
  cfg = upgrade.release;
  inS3 = lib.filter (lib.hasPrefix "s3://") upgrade.substituters;
in
{
  options.pulumiNixos.upgrade.release = {
    keys = mkOption {
      # One form only, that of the key which also signs the cache.
      type = types.listOf (
        types.strMatching "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43}( [^\n\r]*)?"
      );
      default = [ ];
      example = [ "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI… release" ];
      description = ''
        Public keys of those who may sign releases. Where there are any, the machine waits until CI has released a new
        revision, and fetches what was built instead of building it. What counts is the list of the system that runs:
        to change a key, add the new one, and take the old one away when a release has brought both.
      '';
    };

    required = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether the machine installs only what was released. Without it, it evaluates and builds a revision itself that
        was not released within {option}`pulumiNixos.upgrade.release.waitSeconds`, and a deployment (`pulumi up`)
        installs what it likes.
      '';
    };

    waitSeconds = mkOption {
      type = types.ints.positive;
      default = 1200;
      description = "For how many seconds the machine waits for CI.";
    };

    store = mkOption {
      type = types.str;
      default = if inS3 != [ ] then lib.head inS3 else "";
      defaultText = lib.literalMD "the first of {option}`pulumiNixos.upgrade.substituters` that is in S3";
      example = "s3://my-cache?region=eu-west-1";
      description = ''
        The cache that has the records of releases: a bucket, which is read with the rights of the machine's role, or an
        address that begins with https://.
      '';
    };
  };

  config = {
    assertions = [
      {
        assertion = cfg.keys != [ ] -> cfg.store != "";
        message = "pulumiNixos.upgrade.release.keys without a cache in S3 in pulumiNixos.upgrade.substituters: there is nothing to fetch releases from. Set substituters, or pulumiNixos.upgrade.release.store.";
      }
      {
        assertion = cfg.required -> cfg.keys != [ ];
        message = "pulumiNixos.upgrade.release.required without pulumiNixos.upgrade.release.keys: the machine would never install anything. Run `npm run setup`, which writes nix/release.json.";
      }
    ];

    pulumiNixos.upgrade.settings = {
      UPGRADE_RELEASE_SIGNERS =
        lib.optionalString (cfg.keys != [ ])
          "${pkgs.writeText "release-signers" (
            lib.concatStringsSep "" (map (key: "release namespaces=\"nixos-release\" ${key}\n") cfg.keys)
          )}";
      UPGRADE_RELEASE_REPOSITORY = "${repository.owner}/${repository.name}";
      UPGRADE_RELEASE_REQUIRED = lib.boolToString cfg.required;
      UPGRADE_RELEASE_WAIT_SECONDS = toString cfg.waitSeconds;
      UPGRADE_RELEASE_STORE = cfg.store;
    };

    # A deployment asks it before it switches; it is there only where its answer counts.
    environment.etc = lib.mkIf (upgrade.enable && cfg.required) {
      "nixos-upgrade/released".source = lib.getExe upgrade.programs.released;
    };
  };
}
