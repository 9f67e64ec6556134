# A machine without a page, for work that needs none.
{
  networking.hostName = "worker";
  pulumiNixos.web.enable = false;
}
