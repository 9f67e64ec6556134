# NixOS's own automatic upgrade, beside which this one cannot be: what is said there would be read by nobody.
{
  config,
  lib,
  options,
  ...
}:

let
  cfg = config.pulumiNixos.upgrade;

  # What does the same here.
  ours = {
    dates = "pulumiNixos.upgrade.dates";
    flags = "pulumiNixos.upgrade.flags";
    flake = "pulumiNixos.repository (nix/repository.json)";
    randomizedDelaySec = "pulumiNixos.upgrade.randomizedDelaySec";
    runGarbageCollection = "pulumiNixos.smallMachine, which collects garbage,";
  };
  # What this upgrade does in any case.
  same = {
    operation = "switch";
    persistent = true;
    upgrade = false;
    allowReboot = false;
    channel = null;
    rebootWindow = null;
  };

  # 1500 is the priority of an option's own default.
  said = lib.filter (
    name: name != "enable" && options.system.autoUpgrade.${name}.highestPrio < 1500
  ) (lib.attrNames (options.system.autoUpgrade or { }));
  unread = lib.filter (
    name: !(same ? ${name} && config.system.autoUpgrade.${name} == same.${name}) && !(ours ? ${name})
  ) said;
in
{
  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = !config.system.autoUpgrade.enable;
        message = "system.autoUpgrade.enable and pulumiNixos.upgrade.enable both want to be nixos-upgrade.service; set one of them to false.";
      }
    ]
    ++ map (name: {
      assertion = false;
      message = "system.autoUpgrade.${name} is read by nobody, as pulumiNixos.upgrade upgrades this machine, and it has nothing that does the same. Take it away, or set pulumiNixos.upgrade.enable = false and system.autoUpgrade.enable = true.";
    }) unread;

    warnings = map (
      name:
      "system.autoUpgrade.${name} is read by nobody, as pulumiNixos.upgrade upgrades this machine: ${ours.${name}} does the same."
    ) (lib.filter (name: ours ? ${name}) said);
  };
}
