# Your machine. What it serves, which users it has, which services run: that goes here, or into
# files imported from here. Everything that comes with the modules can be overridden here as well.
{ lib, ... }:

{
  # All modules that come with the flake; each can be switched off by its own `enable`.
  pulumiNixos.enable = true;

  # Which repository the machine follows; `npm run setup` writes the file, `pulumi up` compares it.
  pulumiNixos.repository = lib.importJSON ./repository.json;

  # The binary cache that it asks besides NixOS's own, and the key that must have signed what comes
  # from there: the stack's outputs cacheSubstituter and cachePublicKey. None until they are here.
  pulumiNixos.upgrade = {
    inherit (lib.importJSON ./cache.json) substituters trustedPublicKeys;
    # Who signs what CI has built for it: `npm run setup` writes the file. Without it the machine builds itself.
    release = lib.optionalAttrs (builtins.pathExists ./release.json) (lib.importJSON ./release.json);
  };

  # Elastic Compute Cloud's x86_64 image boots with legacy BIOS; an image of another architecture
  # needs another value here.
  nixpkgs.hostPlatform = "x86_64-linux";

  # The release that this machine was first installed with. It keeps the meaning of stored data
  # stable and is not raised with the release in flake.nix.
  system.stateVersion = "26.05";
}
