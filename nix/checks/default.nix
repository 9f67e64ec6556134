# What `nix flake check` builds besides the machine itself.
{
  lib,
  pkgs,
  modules,
}:

let
  folder = ../.;

  # The least that a system needs to be evaluated.
  minimal = {
    nixpkgs.hostPlatform = "x86_64-linux";
    system.stateVersion = "26.05";
    fileSystems."/".device = lib.mkDefault "/dev/vda1";
    boot.loader.grub.device = lib.mkDefault "/dev/vda";
  };

  # Evaluated, not built: the path of the derivation goes into the result as plain text.
  evaluates =
    name: configuration:
    pkgs.writeText "evaluates-${name}" (
      builtins.unsafeDiscardStringContext
        (lib.nixosSystem { modules = [ minimal ] ++ configuration; }).config.system.build.toplevel.drvPath
    );

  configured.pulumiNixos = {
    enable = true;
    repository.owner = "octocat";
  };
in
{
  formatting = pkgs.runCommand "formatting" { nativeBuildInputs = [ pkgs.nixfmt ]; } ''
    find ${folder} -name '*.nix' -exec nixfmt --check {} +
    touch $out
  '';

  secrets =
    let
      problems = import ../secretFiles.nix folder;
    in
    if problems == [ ] then
      pkgs.writeText "secrets" "none in plain text\n"
    else
      throw "In the flake's folder: ${lib.concatStringsSep "; " problems}";
}
# Each module without the others, all together, and both ways to read the repository.
// lib.mapAttrs' (
  name: module: lib.nameValuePair "module-${name}" (evaluates name [ module ])
) modules
// {
  with-deploy-key = evaluates "with-deploy-key" [
    modules.default
    configured
  ];
  with-health-checks = evaluates "with-health-checks" [
    modules.default
    configured
    {
      pulumiNixos.web.metrics = true;
      pulumiNixos.upgrade = {
        flags = [ "--show-trace" ];
        health.checks = {
          command.command = "true";
          page.url = "http://127.0.0.1/";
        };
      };
    }
  ];
  # NixOS's own upgrade in its place, as docs/upgrade.md has it.
  with-auto-upgrade = evaluates "with-auto-upgrade" [
    modules.default
    configured
    {
      pulumiNixos.upgrade.enable = false;
      system.autoUpgrade = {
        enable = true;
        flake = "github:octocat/site?dir=nix";
        dates = "minutely";
        upgrade = false;
      };
    }
  ];
  with-token = evaluates "with-token" [
    modules.default
    configured
    {
      pulumiNixos.repository.access = "token";
      pulumiNixos.upgrade.tokenFile = "/run/secrets/github-access-token";
    }
  ];
}
# A virtual machine needs Linux on both sides.
// lib.optionalAttrs (pkgs.stdenv.hostPlatform.system == "x86_64-linux") {
  machine = import ./machine.nix { inherit pkgs lib modules; };
}
