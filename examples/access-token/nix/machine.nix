# The machine. Its repository.json says how it reads the repository: with a token.
{ lib, ... }:

{
  pulumiNixos = {
    enable = true;
    repository = lib.importJSON ./repository.json;
    # Where this flake lies in the repository. In a repository of your own: "nix".
    upgrade.directory = "examples/access-token/nix";
    # Searched for keys and for secrets in plain text when the system is evaluated.
    secrets.folder = ./.;
    # Holds the token, encrypted for the machine; `npm run secrets -- token` makes it.
    secrets.file = if builtins.pathExists ./secrets.yaml then ./secrets.yaml else null;
  };

  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "26.05";
}
