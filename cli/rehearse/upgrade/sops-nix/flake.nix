# A stand-in for sops-nix; what it declares is in ../nixpkgs/lib.nix.
{
  outputs = _: {
    nixosModules.sops = { };
  };
}
