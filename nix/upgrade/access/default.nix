# The ways in which a machine learns what to run, by name. Each has its half for the shell beside it (see the end of
# ../repository.sh), and another for the programs outside of the machine in components/deploy/access. A function of
# `cfg` (the options below pulumiNixos), `lib`, `slug` (owner/name) and `tokenConfig`, it gives:
#   remote  what is asked for the branch's revision
#   flake   the flake reference, with REVISION where the revision goes
#   config  what the system needs for it
{
  deploy-key = import ./deploy-key.nix;
  token = import ./token.nix;
}
