# The machine that people see: the page of the project's web module.
{
  networking.hostName = "web";
}
