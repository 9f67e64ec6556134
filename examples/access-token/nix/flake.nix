{
  description = "A machine that reads its repository with a token";

  # The modules of this project, with its nixpkgs and sops-nix. In a repository of your own, the address
  # of the project's flake stands here.
  inputs.pulumi-nixos.url = "path:../../../nix";

  outputs =
    { pulumi-nixos, ... }:
    {
      nixosConfigurations.default = pulumi-nixos.inputs.nixpkgs.lib.nixosSystem {
        modules = [
          pulumi-nixos.nixosModules.default
          ./machine.nix
        ];
      };

      # nixos-rebuild, for computers that have none.
      inherit (pulumi-nixos) packages;
    };
}
