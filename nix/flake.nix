{
  description = "A NixOS server that installs by itself what its repository's main branch says";

  inputs = {
    # The release decides the packages and, in Pulumi's configuration, the image that the machine
    # starts from. `nix flake update` stays within it.
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

    sops-nix = {
      url = "github:Mic92/sops-nix";
      # One nixpkgs for all: a second copy would double what has to be downloaded and evaluated.
      inputs.nixpkgs.follows = "nixpkgs";
    };
  };

  # A binary cache that people's own Nix may use as well is named here. It is off by default: a
  # cache that is down slows every Nix command of everybody who trusts it.
  #
  # nixConfig = {
  #   extra-substituters = [ "https://cache.example.org" ];
  #   extra-trusted-public-keys = [ "cache.example.org-1:…" ];
  # };

  outputs =
    {
      self,
      nixpkgs,
      sops-nix,
    }:
    let
      inherit (nixpkgs) lib;

      # The systems that people deploy from; the machine itself is x86_64-linux (machine.nix).
      forEachSystem =
        f:
        lib.genAttrs [
          "x86_64-linux"
          "aarch64-linux"
          "x86_64-darwin"
          "aarch64-darwin"
        ] (system: f nixpkgs.legacyPackages.${system});
    in
    {
      nixosConfigurations.default = lib.nixosSystem {
        modules = [
          self.nixosModules.default
          ./machine.nix
        ];
      };

      # Each module works alone in a configuration of your own, turned on by its `enable`; `default` is all of them, wired,
      # with pulumiNixos.enable for all at once.
      nixosModules = {
        default.imports = [
          sops-nix.nixosModules.sops
          ./modules
        ];
        amazon = ./modules/amazon.nix;
        hardening = ./modules/hardening.nix;
        secrets.imports = [
          sops-nix.nixosModules.sops
          ./modules/secrets.nix
        ];
        smallMachine = ./modules/smallMachine.nix;
        upgrade = ./modules/upgrade;
        web = ./modules/web.nix;
      };

      # `pulumi up` takes nixos-rebuild from here where the system has none, so that the tool and
      # the machine are of one release.
      packages = forEachSystem (pkgs: {
        nixos-rebuild = pkgs.nixos-rebuild-ng;
      });

      # For a jobset of Hydra: each machine, and what the checks are here.
      hydraJobs = {
        machines = lib.mapAttrs (_: machine: machine.config.system.build.toplevel) self.nixosConfigurations;
        inherit (self.checks.x86_64-linux) formatting secrets;
      };

      formatter = forEachSystem (pkgs: pkgs.nixfmt-tree);

      checks = forEachSystem (
        pkgs:
        import ./checks {
          inherit lib pkgs;
          modules = self.nixosModules;
        }
      );
    };
}
