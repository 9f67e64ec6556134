# What the repository of the upgrade tests holds: one stub system, which is as `behaviour` says. Built
# by /bin/sh from the files of cli/rehearse/machine/flake, which the test puts beside this one.
{
  outputs =
    { self }:
    let
      behaviour = builtins.readFile ./behaviour;
      toplevel = derivation {
        name = "nixos-system-bench-26.05-${builtins.substring 0 8 (builtins.readFile ./nonce)}";
        system = builtins.readFile ./platform;
        inherit behaviour;
        nonce = builtins.readFile ./nonce;
        builder = "/bin/sh";
        args = [
          "-eu"
          ./build.sh
        ];
        PATH = "/usr/bin:/bin";
        buildSystem = ./build-system.sh;
        switchToConfiguration = ./switch-to-configuration.sh;
        health = ./health;
        checks = ./checks.d;
        lockout = ./lockout;
      };
    in
    {
      nixosConfigurations.default.config.system.build.toplevel =
        if behaviour == "evaluationError" then
          throw "the repository's evaluation error"
        else if behaviour == "hungry" then
          # Some gigabytes of live list.
          builtins.length (builtins.sort (a: b: a > b) (builtins.genList (n: n * 7) 200000000))
        else
          toplevel;
    };
}
