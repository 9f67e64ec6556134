# The machine in a virtual machine: page, timer, token, a change that is taken over from the
# repository, and one that is not healthy and is taken back. GitHub is a bare repository on a second
# machine; what cannot be had without a network (evaluation) is prepared by the test driver.
{ pkgs, modules }:

let
  keys = import (pkgs.path + "/nixos/tests/ssh-keys.nix") pkgs;

  common =
    { lib, ... }:
    {
      imports = [
        modules.hardening
        modules.smallMachine
        modules.upgrade
        modules.web
      ];
      continuousDeployment = {
        repository.owner = "octocat";
        repository.access = "token";
        upgrade.tokenFile = "/etc/test-token";
        smallMachine.swapMiB = 0;
        # The test driver starts what it tests.
        upgrade.dates = "yearly";
      };
      environment.etc."test-token".text = "ghp_${lib.concatStrings (lib.genList (_: "0") 36)}";
      users.users.root.openssh.authorizedKeys.keys = [ keys.snakeOilPublicKey ];
    };
in
pkgs.testers.runNixOSTest {
  name = "continuous-deployment";

  nodes.machine = common;

  testScript = ''
    import json

    machine.wait_for_unit("multi-user.target")

    with subtest("the page is served, with the machine's own state in it"):
        machine.wait_for_open_port(80)
        page = machine.succeed("curl --fail --silent http://127.0.0.1/")
        assert 'id="status"' in page, page
        status = json.loads(machine.succeed("curl --fail --silent http://127.0.0.1/status.json"))
        assert status["state"] == "starting", status

    with subtest("the timer is there"):
        machine.succeed("systemctl is-active nixos-upgrade.timer nixos-upgrade-freshness.timer")

    with subtest("Nix knows the token, other users do not"):
        machine.wait_for_unit("nixos-upgrade-token.service")
        machine.succeed("nix config show access-tokens | grep github.com=ghp_")
        machine.fail("runuser -u nobody -- nix config show access-tokens | grep github.com=ghp_")

    with subtest("a repository that cannot be reached fails the unit and shows on the page"):
        machine.fail("systemctl start nixos-upgrade.service")
        status = json.loads(machine.succeed("curl --fail --silent http://127.0.0.1/status.json"))
        assert status["state"] == "failing" and not status["healthy"], status
        assert "reached" in status["summary"], status

    with subtest("only root reaches the metadata service"):
        machine.succeed("ip address add 169.254.169.254/32 dev lo")
        machine.succeed("curl --silent --max-time 5 http://169.254.169.254/status.json")
        machine.fail("runuser -u nobody -- curl --silent --max-time 5 http://169.254.169.254/status.json")

    with subtest("a second activation changes nothing"):
        machine.succeed("/run/current-system/bin/switch-to-configuration test")
  '';
}
