# A stub of a NixOS flake for the loopback bench: systems of a few small files, built by /bin/sh without nixpkgs,
# so that real Nix can evaluate, copy, build and install them without a network. Each attribute is one behaviour.
{
  outputs =
    { self }:
    let
      # Written by the bench: the platform of this computer, and a word that makes the systems of a test its own.
      platform = builtins.readFile ./platform;
      nonce = builtins.readFile ./nonce;

      system =
        behaviour:
        derivation {
          name = "nixos-system-bench-26.05-${behaviour}";
          system = platform;
          inherit behaviour nonce;
          builder = "/bin/sh";
          args = [
            "-eu"
            ./build-system.sh
          ];
          PATH = "/usr/bin:/bin";
          switchToConfiguration = ./switch-to-configuration.sh;
        };

      configuration = toplevel: { config.system.build = { inherit toplevel; }; };
    in
    {
      nixosConfigurations = builtins.mapAttrs (behaviour: wrap: configuration (wrap (system behaviour))) {
        # Installed before a test begins, as the machine image's own system is.
        initial = toplevel: toplevel;
        default = toplevel: toplevel;
        second = toplevel: toplevel;

        # Evaluation.
        evaluationError = _: throw "the bench's evaluation error";
        slowEvaluation =
          toplevel: builtins.seq (builtins.foldl' builtins.add 0 (builtins.genList (n: n) 4000000)) toplevel;

        # Build: see build-system.sh.
        buildError = toplevel: toplevel;
        slowBuild = toplevel: toplevel;
        silentBuild = toplevel: toplevel;
        large = toplevel: toplevel;

        # Activation: see switch-to-configuration.sh.
        bootloaderFails = toplevel: toplevel;
        activationFails = toplevel: toplevel;
        activationHangs = toplevel: toplevel;
        slowActivation = toplevel: toplevel;
        failedUnits = toplevel: toplevel;
        cutsOffSsh = toplevel: toplevel;
        needsRestart = toplevel: toplevel;
        otherInit = toplevel: toplevel;
        newKernel = toplevel: toplevel;
        userActivationFails = toplevel: toplevel;
        alsoBroken = toplevel: toplevel;
        otherwiseBroken = toplevel: toplevel;
        brokenScript = toplevel: toplevel;
        sameBrokenScript = toplevel: toplevel;
        otherBrokenScript = toplevel: toplevel;
        dies = toplevel: toplevel;
        diesSoon = toplevel: toplevel;
        diesBefore = toplevel: toplevel;
        diesSlowly = toplevel: toplevel;
        serves = toplevel: toplevel;
        servesNot = toplevel: toplevel;
        diesOnce = toplevel: toplevel;

        # What the repository answers to it: see build-system.sh.
        tokenRefused = toplevel: toplevel;
        tokenMissing = toplevel: toplevel;
      };
    };
}
