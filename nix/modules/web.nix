# The web server: the page of www/ and the machine's own account of itself.
{
  config,
  lib,
  ...
}:

let
  cfg = config.pulumiNixos.web;

  # Every response carries these; nginx forgets inherited headers in a location that adds its own,
  # so they are one text that each location includes.
  headers = ''
    add_header Content-Security-Policy "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" always;
    add_header X-Content-Type-Options nosniff always;
    add_header Referrer-Policy no-referrer always;
  '';
in
{
  imports = [
    (import ./part.nix {
      name = "web";
      description = "Whether the machine serves a page and `/status.json` on port 80.";
      renamed = [
        "web.enable"
        "web.root"
        "web.statusDirectory"
      ];
    })
  ];

  options.pulumiNixos.web = {
    root = lib.mkOption {
      type = lib.types.path;
      default = ../www;
      defaultText = lib.literalExpression "../www";
      description = ''
        The folder that is served. A page in it shows the machine's state where it says
        `<!--# include virtual="/status.html" -->`. Give a path (`./www`), not a string with the
        flake's own path: that would change the system with every commit.
      '';
    };

    metrics = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = ''
        Whether the machine also serves `/metrics`, its state in Prometheus's text format: what `/status.json` says, and
        how many polls have failed for which kind of reason. Everybody can read it, as the page.
      '';
    };

    statusDirectory = lib.mkOption {
      type = lib.types.str;
      default = "/run/nixos-upgrade/public";
      internal = true;
      description = "Where the upgrade leaves status.json, status.html and metrics.";
    };
  };

  config = lib.mkIf cfg.enable {
    services.nginx = {
      enable = true;
      # nginx's own version is of use to nobody but an attacker.
      serverTokens = lib.mkDefault false;
      recommendedOptimisation = lib.mkDefault true;
      recommendedGzipSettings = lib.mkDefault true;

      virtualHosts.default = {
        default = lib.mkDefault true;
        root = lib.mkDefault cfg.root;
        locations = {
          # Server-side includes put the state into the page, so that it needs no JavaScript; a page
          # put together anew for every reader must not be kept by a cache.
          "/".extraConfig = ''
            ssi on;
            ${headers}
            add_header Cache-Control no-cache always;
          '';
          "= /status.json" = {
            root = cfg.statusDirectory;
            extraConfig = ''
              ${headers}
              add_header Cache-Control no-store always;
            '';
          };
          "= /status.html" = {
            root = cfg.statusDirectory;
            # A fragment for the page alone, which is whole without it.
            extraConfig = ''
              internal;
              try_files /status.html =204;
            '';
          };
        }
        // lib.optionalAttrs cfg.metrics {
          "= /metrics" = {
            root = cfg.statusDirectory;
            extraConfig = ''
              ${headers}
              add_header Cache-Control no-store always;
              types { }
              default_type "text/plain; version=0.0.4; charset=utf-8";
            '';
          };
        };
      };
    };

    networking.firewall.allowedTCPPorts = [ 80 ];

    # NixOS locks nginx's unit in already; a server of static files needs less still.
    systemd.services.nginx.serviceConfig = {
      MemoryMax = lib.mkDefault "256M";
      IPAccounting = lib.mkDefault true;
    };
  };
}
