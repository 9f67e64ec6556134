# Which repository the machine follows.
{ lib, ... }:

let
  inherit (lib) mkOption types;

  # As components/values/repositoryNames.ts has it; test/branches.json is run through both. Nix and Git read some names as something
  # else than a branch: a full reference, a revision, an option.
  branchName =
    types.addCheck (types.strMatching "[A-Za-z0-9_][A-Za-z0-9._/@+-]*") (
      name:
      !lib.any (bad: builtins.match bad name != null) [
        ".*(\\.\\.|//|/\\.).*"
        ".*\\.lock(/.*)?"
        ".*[./]"
        "refs/.*"
        "HEAD"
        "[0-9A-Fa-f]{40}([0-9A-Fa-f]{24})?"
      ]
    )
    // {
      description = "plain name of a branch, such as main (no refs/heads/, no wildcard, nothing that Git refuses)";
    };
in
{
  imports = [
    (import ../renamed.nix [
      "repository.owner"
      "repository.name"
      "repository.branch"
      "repository.access"
    ])
  ];

  options.pulumiNixos.repository = {
    owner = mkOption {
      type = types.strMatching "([A-Za-z0-9](-?[A-Za-z0-9]){0,38}(_[A-Za-z0-9]{3,8})?)?";
      default = "";
      example = "octocat";
      description = "The account on GitHub that owns the repository. Empty: not set up yet; the machine does not upgrade itself.";
    };

    name = mkOption {
      type = types.strMatching "[A-Za-z0-9._-]{1,100}";
      default = "pulumi-nixos";
      description = "The repository's name.";
    };

    branch = mkOption {
      type = branchName;
      default = "main";
      description = "The branch that the machine follows: its plain name, without `refs/heads/`.";
    };

    access = mkOption {
      type = types.enum (lib.attrNames (import ../../upgrade/access));
      default = "deploy-key";
      description = ''
        How the machine reads the repository: `deploy-key` with its own SSH key, which never
        expires, or `token` with a personal access token out of the encrypted secrets, for
        accounts that forbid deploy keys.
      '';
    };
  };
}
