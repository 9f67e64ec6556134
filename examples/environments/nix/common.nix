# What both environments have: everything that is to be tried before it is live.
{ lib, ... }:

{
  pulumiNixos = {
    enable = true;
    repository = lib.importJSON ./repository.json;
    # Where this flake lies in the repository. In a repository of your own: "nix".
    upgrade.directory = "examples/environments/nix";
    # Searched for keys and for secrets in plain text when the system is evaluated.
    secrets.folder = ./.;
  };

  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "26.05";
}
