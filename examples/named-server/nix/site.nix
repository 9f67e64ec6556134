# The page under its name, with a certificate that renews itself.
{ lib, ... }:

let
  # The stack makes the name's record from the same file.
  site = lib.importJSON ./site.json;
in
{
  security.acme = {
    acceptTerms = true;
    defaults.email = site.email;
  };

  services.nginx.virtualHosts.${site.host} = {
    enableACME = true;
    forceSSL = true;
    # The page of the web module, which the machine's own health check asks for without a certificate.
    locations."/".proxyPass = "http://127.0.0.1";
  };

  networking.firewall.allowedTCPPorts = [ 443 ];
}
