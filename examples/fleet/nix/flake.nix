{
  description = "Several machines of one repository";

  # The modules of this project, with its nixpkgs and sops-nix. In a repository of your own, the address
  # of the project's flake stands here.
  inputs.pulumi-nixos.url = "path:../../../nix";

  outputs =
    { pulumi-nixos, ... }:
    let
      inherit (pulumi-nixos.inputs.nixpkgs) lib;

      machine =
        name:
        lib.nixosSystem {
          modules = [
            pulumi-nixos.nixosModules.default
            ./common.nix
            ./${name}.nix
            # The machine upgrades itself to the configuration of its own name.
            { pulumiNixos.upgrade.attribute = name; }
          ];
        };
    in
    {
      nixosConfigurations = lib.genAttrs [
        "web"
        "worker"
      ] machine;

      # nixos-rebuild, for computers that have none.
      inherit (pulumi-nixos) packages;
    };
}
