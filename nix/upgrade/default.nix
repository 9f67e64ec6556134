# The programs of the upgrade, each a checked shell script that brings its own tools. `settings` are
# the environment that they share (see modules/upgrade); with it inside, a person can run each by
# hand.
{
  lib,
  pkgs,
  nix,
  settings,
}:

let
  # What deployments have too.
  shared = [
    ./shared/protocol.sh
    ./shared/checks.sh
    ./shared/system.sh
    ./shared/units.sh
  ];

  program =
    name: scripts: tools:
    pkgs.writeShellApplication {
      inherit name;
      runtimeInputs = [
        pkgs.coreutils
        pkgs.gnugrep
        pkgs.gnused
        pkgs.jq
        pkgs.systemd
      ]
      ++ tools;
      runtimeEnv = settings // {
        UPGRADE_COMMON = "${./common.sh}";
        UPGRADE_REPOSITORY = "${./repository.sh}";
        UPGRADE_WAYS = "${./access}";
        UPGRADE_TROUBLE = "${./trouble.sh}";
      };
      # The `$names` in single quotes are jq's. Of the names and functions in the shared files no program needs all (2329
      # is what newer versions call 2317).
      excludeShellChecks = [
        "SC2016"
        "SC2034"
        "SC2317"
        "SC2329"
      ];
      text = lib.concatStringsSep "\n" (map builtins.readFile scripts);
    };
in
rec {
  remote =
    program "nixos-upgrade-remote"
      [ ./remote.sh ]
      [
        pkgs.curl
        pkgs.gitMinimal
        pkgs.openssh
        token
      ];
  status = program "nixos-upgrade-status" (shared ++ [ ./status.sh ]) [ ];
  health = program "nixos-upgrade-health" (shared ++ [ ./health.sh ]) [
    pkgs.bash
    pkgs.curl
    remote
  ];
  checks =
    program "nixos-upgrade-checks"
      [ ./checks.sh ]
      [
        pkgs.bash
        pkgs.curl
      ];
  upgrade =
    program "nixos-upgrade"
      (
        shared
        ++ [
          ./lockout.sh
          ./network.sh
          ./record.sh
          ./release.sh
          ./switch.sh
          ./upgrade.sh
        ]
      )
      [
        nix
        pkgs.bash
        pkgs.curl
        pkgs.gitMinimal
        pkgs.openssh
        pkgs.util-linux
        health
        remote
        status
      ];
  released =
    program "nixos-upgrade-released"
      [
        ./record.sh
        ./released.sh
      ]
      [
        pkgs.curl
        pkgs.gitMinimal
        pkgs.openssh
      ];
  probe = program "nixos-upgrade-probe" (shared ++ [ ./probe.sh ]) [
    remote
    status
  ];
  alert = program "nixos-upgrade-alert" [ ./alert.sh ] [ pkgs.bash ];
  token = program "nixos-upgrade-token" [ ./token.sh ] [ ];
}
