# Whose signature a revision needs.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (lib) mkOption types;

  cfg = config.pulumiNixos.upgrade.signatures;
  # Off where nobody is named: then the branch alone decides.
  signed = cfg.allowedSigners != [ ] || cfg.allowGithubMerge;
in
{
  imports = [
    (import ../renamed.nix [
      "upgrade.signatures.allowedSigners"
      "upgrade.signatures.allowGithubMerge"
      "upgrade.signatures.githubKey"
    ])
  ];

  options.pulumiNixos.upgrade.signatures = {
    allowedSigners = mkOption {
      type = types.listOf (
        types.strMatching "(sk-)?(ssh-[a-z0-9]+|ecdsa-sha2-nistp[0-9]+)(@openssh\\.com)? [A-Za-z0-9+/]+={0,3}( [^\n\r]*)?"
      );
      default = [ ];
      example = [ "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI… octocat" ];
      description = ''
        Public SSH keys. Where there are any, the machine installs by itself only revisions whose commit is signed
        with one of them (`git commit -S` with `gpg.format = ssh`). What counts is the list of the system that runs:
        a commit that changes the list must be signed by a key of the list before it. The commit at the branch's tip
        is what must be signed; a merge is signed by whoever makes it, so merge on a computer with a key, or see
        {option}`pulumiNixos.upgrade.signatures.allowGithubMerge`. A deployment (`pulumi up`) is not asked
        for a signature.
      '';
    };
    allowGithubMerge = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether GitHub's own signature counts too, which it gives to every commit that is made on its site or by its
        API: merges, but also edits in the browser, and those of whoever has stolen a session or a token there.
        Needs {option}`pulumiNixos.upgrade.signatures.githubKey`.
      '';
    };
    githubKey = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = lib.literalExpression "./web-flow.gpg";
      description = "The public OpenPGP key that GitHub signs with: https://github.com/web-flow.gpg, saved beside the flake.";
    };
  };

  config = {
    assertions = [
      {
        assertion = cfg.allowGithubMerge -> cfg.githubKey != null;
        message = "pulumiNixos.upgrade.signatures.allowGithubMerge needs GitHub's key: save https://github.com/web-flow.gpg beside the flake and set pulumiNixos.upgrade.signatures.githubKey = ./web-flow.gpg.";
      }
    ];

    pulumiNixos.upgrade.settings = {
      UPGRADE_ALLOWED_SIGNERS = lib.optionalString signed "${pkgs.writeText "allowed-signers" (
        lib.concatStringsSep "" (map (key: "signer namespaces=\"git\" ${key}\n") cfg.allowedSigners)
      )}";
      UPGRADE_GITHUB_SIGNING_KEY = lib.optionalString (
        cfg.allowGithubMerge && cfg.githubKey != null
      ) "${cfg.githubKey}";
      UPGRADE_GPG = if cfg.allowGithubMerge then lib.getExe' pkgs.gnupg "gpg" else "false";
    };
  };
}
