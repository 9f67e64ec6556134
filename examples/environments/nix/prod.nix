# Follows the branch production, and asks less often: what arrives there has run in dev before.
{
  networking.hostName = "prod";
  continuousDeployment.repository.branch = "production";
  continuousDeployment.upgrade.dates = "*:0/5";
}
