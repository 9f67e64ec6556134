# What a machine's owner wants to work after a switch, beside what every machine is asked.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (lib) mkOption types;

  cfg = config.pulumiNixos.upgrade;
  inherit (cfg.health) checks;
  each = f: lib.concatMap (name: f name checks.${name}) (lib.attrNames checks);
  problems = each (
    name: check:
    let
      here = "pulumiNixos.upgrade.health.checks.\"${name}\"";
    in
    lib.optional (builtins.match "[A-Za-z0-9][A-Za-z0-9._-]{0,62}" name == null || name == "all")
      "${here}: a check's name has letters, digits, dots, underscores and hyphens, begins with a letter or digit, and is not \"all\"."
    ++
      lib.optional ((check.command == null) == (check.url == null))
        "${here} needs either `command` or `url`: ${
          if check.command == null then "neither is set" else "both are set"
        }."
    ++
      lib.optional (check.command != null && (check.body != null || check.status != 200))
        "${here}: `status` and `body` are of a check with `url`; a command says by its exit code whether all is well."
  );
in
{
  options.pulumiNixos.upgrade.health.checks = mkOption {
    default = { };
    example = lib.literalExpression ''
      {
        database.command = "pg_isready --quiet";
        login = {
          url = "http://127.0.0.1:8080/login";
          body = "Sign in";
        };
      }
    '';
    description = ''
      Checks of your own that a new system must pass to be kept, whether the machine has pulled it or a deployment
      (`pulumi up`) pushes it. All run at once when {option}`pulumiNixos.upgrade.health.seconds` are over (after a push:
      when the units are judged); one that fails, but not by its time, is asked a second time. A check that fails
      before the switch as well, and is the same in both systems, is named in the journal and does not count.
    '';
    type = types.attrsOf (
      types.submodule {
        options = {
          command = mkOption {
            type = types.nullOr types.lines;
            default = null;
            example = "pg_isready --quiet";
            description = ''
              Shell commands that end with exit code 0 where all is well, run as root in a unit of their own, with
              {file}`/run/current-system/sw/bin` on the path. What they print is in the journal
              (`journalctl --identifier nixos-upgrade-check-NAME`); what they started ends with them.
            '';
          };
          url = mkOption {
            type = types.nullOr (types.strMatching "https?://[^[:space:]]+");
            default = null;
            example = "http://127.0.0.1:8080/login";
            description = "An address that must answer. Redirects are not followed: they are an answer.";
          };
          status = mkOption {
            type = types.ints.between 100 599;
            default = 200;
            description = "The status that the answer of `url` must have.";
          };
          body = mkOption {
            type = types.nullOr (types.strMatching "[^\n\r]+");
            default = null;
            example = "Sign in";
            description = "A text of one line that the answer of `url` must contain; null takes any. It may have 2 MiB.";
          };
          timeoutSeconds = mkOption {
            type = types.ints.between 1 20;
            default = 10;
            description = ''
              How long a try may take; a command that takes longer is killed with all that it started. For a service
              that needs its time to start raise {option}`pulumiNixos.upgrade.health.seconds`.
            '';
          };
        };
      }
    );
  };

  config = {
    assertions = map (message: {
      assertion = false;
      inherit message;
    }) problems;

    # A deployment and the system before run them from here.
    environment.etc = lib.mkIf (cfg.enable && checks != { }) (
      {
        "nixos-upgrade/checks".source = lib.getExe cfg.programs.checks;
      }
      // lib.mapAttrs' (
        name: check:
        lib.nameValuePair "nixos-upgrade/checks.d/${name}" {
          text = builtins.toJSON {
            inherit (check)
              url
              status
              body
              timeoutSeconds
              ;
            command =
              if check.command == null then
                null
              else
                "${pkgs.writeShellScript "health-check" "set -euo pipefail\n${check.command}\n"}";
          };
        }
      ) checks
    );
  };
}
