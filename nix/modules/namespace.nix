# What all modules share.
{
  config,
  lib,
  options,
  ...
}:

let
  cfg = config.pulumiNixos;

  # There were three options for the one file.
  oldKeys = lib.filter (option: option != null) (
    map (path: lib.attrByPath ([ "continuousDeployment" ] ++ path) null options) [
      [
        "upgrade"
        "identity"
      ]
      [
        "secrets"
        "key"
      ]
      [
        "amazon"
        "machineKey"
      ]
    ]
  );
  someOfThem =
    lib.any (option: option.isDefined) oldKeys && !lib.all (option: option.isDefined) oldKeys;
in
{
  options.pulumiNixos = {
    machineKey = lib.mkOption {
      type = lib.types.str;
      default = "/var/lib/id_ed25519";
      description = ''
        The file of the machine's private SSH key, which user data writes at every boot. It opens the
        secrets and reads the repository; by default it is the key that root logs in with, too.
      '';
    };

    onByImport = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      internal = true;
      description = "The modules that are on although nobody has said so.";
    };
  };

  config = {
    warnings = lib.optional (cfg.onByImport != [ ]) ''
      In the next version of pulumi-nixos, importing a module no longer turns it on. Set pulumiNixos.enable = true where nixosModules.default is imported; otherwise, for each that you want: ${
        lib.concatStringsSep ", " (map (name: "pulumiNixos.${name}.enable = true") cfg.onByImport)
      }.
    '';

    assertions = [
      {
        # Whoever changed only one of the three would change all of them now.
        assertion = someOfThem -> cfg.machineKey == options.pulumiNixos.machineKey.default;
        message = "continuousDeployment.upgrade.identity, continuousDeployment.secrets.key and continuousDeployment.amazon.machineKey are one option now, and here not all of them are set. Set pulumiNixos.machineKey instead.";
      }
    ];
  };
}
