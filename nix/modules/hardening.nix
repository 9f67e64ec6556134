# Fewer ways in. Each value can be overridden; the reasons say what one gives up by doing so.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  cfg = config.pulumiNixos.hardening;

  # NixOS has defaults of its own for some kernel parameters: stronger than those, weaker than yours.
  preferred = lib.mkOverride 900;
in
{
  imports = [
    (import ./part.nix {
      name = "hardening";
      description = "Whether to leave fewer ways into the machine.";
      renamed = [
        "hardening.enable"
        "hardening.metadataForRootOnly"
      ];
    })
  ];

  options.pulumiNixos.hardening = {
    metadataForRootOnly = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = ''
        Whether only root may reach the instance metadata service (169.254.169.254), which hands out
        the machine's private key as part of its user data. A service that takes credentials of the
        instance's role without being root needs this off.
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    services.openssh = {
      enable = lib.mkDefault true;
      settings = {
        # Passwords are guessed all day on every public address; keys are not.
        PasswordAuthentication = lib.mkDefault false;
        KbdInteractiveAuthentication = lib.mkDefault false;
        # Root with a key: the deployment logs in as root.
        PermitRootLogin = lib.mkDefault "prohibit-password";
        X11Forwarding = lib.mkDefault false;
      };
    };

    networking.firewall = {
      enable = lib.mkDefault true;
      # Scanners would fill the journal with refused connections.
      logRefusedConnections = lib.mkDefault false;
    };

    # sudo only for those it is meant for: others cannot even start the setuid program.
    security.sudo.execWheelOnly = lib.mkDefault true;
    # NixOS has a rule for the user of Session Manager, the way in when SSH is gone; without the group it could not use it.
    users.users = lib.mkIf (config.services.amazon-ssm-agent.enable or false) {
      ssm-user.extraGroups = [ "wheel" ];
    };

    boot.kernel.sysctl = {
      # Addresses of the kernel and of other people's processes help only an attacker.
      "kernel.kptr_restrict" = preferred 2;
      "kernel.dmesg_restrict" = preferred 1;
      "kernel.unprivileged_bpf_disabled" = preferred 1;
      "net.core.bpf_jit_harden" = preferred 2;
      # A server routes for nobody, and no neighbour may redirect its traffic.
      "net.ipv4.conf.all.accept_redirects" = preferred false;
      "net.ipv4.conf.default.accept_redirects" = preferred false;
      "net.ipv4.conf.all.send_redirects" = preferred false;
      "net.ipv4.conf.default.send_redirects" = preferred false;
      "net.ipv6.conf.all.accept_redirects" = preferred false;
      "net.ipv6.conf.default.accept_redirects" = preferred false;
    };

    # A unit and not part of the firewall: it holds whichever firewall is chosen, or none.
    systemd.services.instance-metadata-for-root-only = lib.mkIf cfg.metadataForRootOnly {
      description = "Let only root reach the instance metadata service";
      wantedBy = [ "multi-user.target" ];
      before = [ "network-pre.target" ];
      wants = [ "network-pre.target" ];
      # Where nftables clears all rules, it does so at a restart and at a reload: these come back after either.
      after = [
        "nftables.service"
        "systemd-modules-load.service"
      ];
      partOf = [ "nftables.service" ];
      unitConfig.ReloadPropagatedFrom = "nftables.service";
      unitConfig.DefaultDependencies = false;
      conflicts = [ "shutdown.target" ];
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = "${lib.getExe pkgs.nftables} --file ${./instanceMetadata.nft}";
        ExecReload = "${lib.getExe pkgs.nftables} --file ${./instanceMetadata.nft}";
        ExecStop = "${lib.getExe pkgs.nftables} delete table inet instance_metadata";
      };
    };
  };
}
