# Secrets that travel encrypted in the repository and are opened on the machine by its own key.
# Without an encrypted file there is nothing to open, and sops-nix stays out of the system.
{ config, lib, ... }:

let
  cfg = config.pulumiNixos.secrets;
  encryptedFile = ../secrets.yaml;
in
{
  imports = [
    (import ./part.nix {
      name = "secrets";
      description = "Whether to open the encrypted secrets on the machine, and to refuse a flake that holds readable ones.";
      renamed = [
        "secrets.file"
        "secrets.folder"
      ];
    })
    (lib.mkRenamedOptionModule
      [ "continuousDeployment" "secrets" "key" ]
      [ "pulumiNixos" "machineKey" ]
    )
  ];

  options.pulumiNixos.secrets = {
    file = lib.mkOption {
      type = lib.types.nullOr lib.types.path;
      default = if builtins.pathExists encryptedFile then encryptedFile else null;
      defaultText = lib.literalMD "`../secrets.yaml` where it exists";
      description = ''
        The SOPS file that secrets come from by default, encrypted for this machine among others.
        `npm run secrets` makes and changes it. A secret is declared as
        `sops.secrets.<name> = { };` and lies in `/run/secrets/<name>` on the machine.
      '';
    };

    folder = lib.mkOption {
      type = lib.types.path;
      default = ./..;
      defaultText = lib.literalMD "the flake's folder";
      description = ''
        The folder that is searched for private keys and for secrets in plain text when the system
        is evaluated. All of it is copied into the Nix store, which every user can read.
      '';
    };
  };

  config = lib.mkMerge [
    (lib.mkIf cfg.enable {
      assertions = map (problem: {
        assertion = false;
        message = "In the flake's folder: ${problem}";
      }) (import ../secretFiles.nix cfg.folder);
    })

    (lib.mkIf (cfg.enable && cfg.file != null) {
      sops = {
        defaultSopsFile = lib.mkDefault cfg.file;
        # Only the machine's key: the host keys are no recipients, and importing them would only
        # write warnings to the log.
        age.sshKeyPaths = lib.mkDefault [ config.pulumiNixos.machineKey ];
        gnupg.sshKeyPaths = lib.mkDefault [ ];
      };
    })
  ];
}
