# By SSH, with the machine's own key, which is a deploy key of its repository.
{
  cfg,
  lib,
  slug,
  ...
}:

let
  inherit (cfg) machineKey repository upgrade;
in
{
  remote = "ssh://git@github.com/${slug}";
  flake = "git+ssh://git@github.com/${slug}?ref=${repository.branch}&rev=REVISION&dir=${upgrade.directory}";

  config = {
    # For people who fetch the repository on the machine by hand, as root.
    programs.ssh.knownHostsFiles = [ ../github-known-hosts ];
    programs.ssh.extraConfig = ''
      Match localuser root host github.com
        IdentityFile ${machineKey}
        IdentitiesOnly yes
    '';
  };
}
