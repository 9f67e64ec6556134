# Of units that ask the repository.
{
  after = [ "network-online.target" ];
  wants = [ "network-online.target" ];
}
