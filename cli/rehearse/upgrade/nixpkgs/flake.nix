# A stand-in for nixpkgs, so that the flake in nix/ can be evaluated by a real Nix where the real one
# cannot be had. It shows that our modules evaluate, with our options' types checked, and what they
# ask of NixOS. It cannot show that NixOS has the options that they set, nor what it makes of them.
{
  outputs = _: {
    lib = import ./lib.nix;
    legacyPackages = import ./packages.nix;
  };
}
