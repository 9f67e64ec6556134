# The machine as a virtual machine, as far as it can be without a network: the page, the timers, a
# secret that is opened and handed to Nix as the token, the metadata service for root alone, and a
# revision that is installed, found unhealthy and taken back. GitHub is a repository on the machine's
# own disk; the keys are made while the test is built and are worth nothing.
{
  pkgs,
  lib,
  modules,
}:

let
  token = "ghp_${lib.concatStrings (lib.genList (_: "0") 36)}";

  # A machine key, and a secrets file that it opens.
  secrets =
    pkgs.runCommand "test-secrets"
      {
        nativeBuildInputs = [
          pkgs.openssh
          pkgs.sops
          pkgs.ssh-to-age
        ];
      }
      ''
        mkdir $out
        ssh-keygen -q -t ed25519 -N "" -f $out/key
        printf 'github-access-token: ${token}\n' >plain.yaml
        sops --encrypt --age "$(ssh-to-age <$out/key.pub)" plain.yaml >$out/secrets.yaml
      '';

  # The repository's flake cannot be evaluated without nixpkgs, so it wraps a system that is already
  # on the machine: the same one without its web server.
  flake = pkgs.writeText "flake.nix" ''
    {
      outputs = _: {
        nixosConfigurations.default.config.system.build.toplevel =
          let
            inStore = path: builtins.appendContext path { ''${path} = { path = true; }; };
          in
          derivation {
            name = "nixos-system-unhealthy";
            system = "x86_64-linux";
            builder = inStore "${pkgs.bash}" + "/bin/bash";
            args = [
              "-c"
              "''${inStore "${pkgs.coreutils}"}/bin/cp --recursive --no-dereference ''${inStore (builtins.readFile ./unhealthy)} $out"
            ];
          };
      };
    }
  '';
in
pkgs.testers.runNixOSTest {
  name = "continuous-deployment";

  nodes.machine =
    { config, ... }:
    {
      imports = [
        modules.hardening
        modules.secrets
        modules.smallMachine
        modules.upgrade
        modules.web
      ];

      pulumiNixos = {
        hardening.enable = true;
        secrets.enable = true;
        smallMachine.enable = true;
        upgrade.enable = true;
        web.enable = true;
        repository.owner = "octocat";
        secrets.file = "${secrets}/secrets.yaml";
        smallMachine.swapMiB = 0;
        upgrade = {
          # The test starts what it tests.
          dates = "yearly";
          remote = "file:///srv/repository";
          flake = "git+file:///srv/repository?ref=main&rev=REVISION&dir=nix";
          health.units = [ "nginx.service" ];
          health.seconds = 10;
        };
      };

      sops.validateSopsFiles = false;
      sops.secrets.github-access-token = { };
      # As user data leaves it, before secrets are opened.
      system.activationScripts.machineKey = "install -m 400 ${secrets}/key /var/lib/id_ed25519";
      system.activationScripts.setupSecrets.deps = [ "machineKey" ];

      environment.systemPackages = [ pkgs.git ];
      virtualisation.writableStore = true;
      system.extraDependencies = [
        pkgs.bash
        pkgs.coreutils
      ];

      specialisation.token.configuration.pulumiNixos = {
        repository.access = "token";
        upgrade.tokenFile = config.sops.secrets.github-access-token.path;
      };
      specialisation.unhealthy.configuration.systemd.services.nginx.serviceConfig.ExecStart =
        lib.mkForce "${pkgs.coreutils}/bin/false";
    };

  testScript = ''
    import json


    def status():
        return json.loads(machine.succeed("curl --fail --silent http://127.0.0.1/status.json"))


    machine.wait_for_unit("multi-user.target")
    machine.wait_for_open_port(80)
    system = machine.succeed("readlink -f /run/current-system").strip()

    with subtest("the page is served, with the machine's own state in it"):
        page = machine.succeed("curl --fail --silent http://127.0.0.1/")
        assert 'id="status"' in page, page
        assert status()["state"] == "starting", status()

    with subtest("the timers are there"):
        machine.succeed("systemctl is-active nixos-upgrade.timer nixos-upgrade-freshness.timer")

    with subtest("only root reaches the metadata service"):
        machine.succeed("ip address add 169.254.169.254/32 dev lo")
        machine.succeed("curl --fail --silent --max-time 5 http://169.254.169.254/status.json")
        machine.fail("runuser -u nobody -- curl --fail --silent --max-time 5 http://169.254.169.254/status.json")

    with subtest("a repository that cannot be read fails the unit and shows on the page"):
        machine.fail("systemctl start nixos-upgrade.service")
        assert status()["state"] == "failing", status()

    with subtest("before the first push the machine waits"):
        machine.succeed("git init --quiet --initial-branch=main /srv/repository")
        machine.succeed("systemctl start nixos-upgrade.service")
        assert status()["state"] == "waiting", status()

    with subtest("a system that is not healthy is taken back"):
        machine.succeed(
            "mkdir /srv/repository/nix",
            "cp ${flake} /srv/repository/nix/flake.nix",
            f"printf %s $(readlink -f {system}/specialisation/unhealthy) >/srv/repository/nix/unhealthy",
            "git -C /srv/repository add --all",
            "git -C /srv/repository -c user.name=test -c user.email=test@example.org commit --quiet -m test",
        )
        machine.fail("systemctl start nixos-upgrade.service")
        assert status()["lastError"]["kind"] == "health", status()
        assert machine.succeed("readlink -f /run/current-system").strip() == system
        machine.succeed("systemctl is-active nginx.service")

    with subtest("Nix knows the token from the secrets, other users do not"):
        machine.succeed("test $(cat /run/secrets/github-access-token) = ${token}")
        machine.succeed(f"{system}/specialisation/token/bin/switch-to-configuration test")
        machine.wait_for_unit("nixos-upgrade-token.service")
        machine.succeed("nix config show access-tokens | grep -F github.com=${token}")
        machine.fail("runuser -u nobody -- nix config show access-tokens | grep -F github.com=${token}")
  '';
}
