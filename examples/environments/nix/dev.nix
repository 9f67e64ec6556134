# Follows main, like every machine that says nothing else.
{
  networking.hostName = "dev";
}
