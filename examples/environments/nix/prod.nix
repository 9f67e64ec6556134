# Follows the branch production, and asks less often: what arrives there has run in dev before.
{
  networking.hostName = "prod";
  pulumiNixos.repository.branch = "production";
  pulumiNixos.upgrade.dates = "*:0/5";
}
