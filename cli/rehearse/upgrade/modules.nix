# The modules of nix/, evaluated with the stand-in of nixpkgs' library; for tests, by nix-instantiate.
{
  modules,
  configuration ? "{}",
}:

let
  lib = import ./nixpkgs/lib.nix;
  evaluated = lib.evalModules (modules ++ [ (builtins.fromJSON configuration) ]);
in
evaluated // { inherit lib; }
