# Where built systems come from besides NixOS's own cache.
{
  config,
  lib,
  ...
}:

let
  inherit (lib) mkOption types;

  cfg = config.pulumiNixos.upgrade;
in
{
  imports = [
    (import ../renamed.nix [
      "upgrade.substituters"
      "upgrade.trustedPublicKeys"
    ])
  ];

  options.pulumiNixos.upgrade = {
    substituters = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "s3://my-cache?region=eu-west-1" ];
      description = "Binary caches to ask besides NixOS's own. None by default: one that is down slows every build.";
    };

    trustedPublicKeys = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "The public keys of {option}`pulumiNixos.upgrade.substituters`.";
    };
  };

  config = {
    assertions = [
      {
        assertion = cfg.substituters == [ ] || cfg.trustedPublicKeys != [ ];
        message = "pulumiNixos.upgrade.substituters without trustedPublicKeys: nothing from there would be accepted.";
      }
    ];

    nix.settings = {
      extra-substituters = cfg.substituters;
      extra-trusted-public-keys = cfg.trustedPublicKeys;
      # A cache that is down costs seconds, not the upgrade.
      connect-timeout = lib.mkDefault 5;
      stalled-download-timeout = lib.mkDefault 15;
      download-attempts = lib.mkDefault 2;
      fallback = lib.mkDefault true;
    };
  };
}
