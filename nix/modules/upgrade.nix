# The machine installs by itself what its repository's branch says, and shows when it cannot.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (lib) mkOption types;

  repository = config.continuousDeployment.repository;
  cfg = config.continuousDeployment.upgrade;
  known = repository.owner != "";

  slug = "${repository.owner}/${repository.name}";

  # As components/values/repositoryNames.ts has it; test/branches.json is run through both. Nix and Git read some names as something
  # else than a branch: a full reference, a revision, an option.
  branchName =
    types.addCheck (types.strMatching "[A-Za-z0-9_][A-Za-z0-9._/@+-]*") (
      name:
      !lib.any (bad: builtins.match bad name != null) [
        ".*(\\.\\.|//|/\\.).*"
        ".*\\.lock(/.*)?"
        ".*[./]"
        "refs/.*"
        "HEAD"
        "[0-9A-Fa-f]{40}([0-9A-Fa-f]{24})?"
      ]
    )
    // {
      description = "plain name of a branch, such as main (no refs/heads/, no wildcard, nothing that Git refuses)";
    };

  # Off where nobody is named: then the branch alone decides.
  signed = cfg.signatures.allowedSigners != [ ] || cfg.signatures.allowGithubMerge;
  tokenConfig = "/run/nixos-upgrade/access-token.conf";

  programs = import ../upgrade {
    inherit lib pkgs;
    nix = config.nix.package;
    inherit (cfg) settings;
  };

  network = {
    after = [ "network-online.target" ];
    wants = [ "network-online.target" ];
  };
in
{
  options.continuousDeployment = {
    repository = {
      owner = mkOption {
        type = types.strMatching "([A-Za-z0-9](-?[A-Za-z0-9]){0,38}(_[A-Za-z0-9]{3,8})?)?";
        default = "";
        example = "octocat";
        description = "The account on GitHub that owns the repository. Empty: not set up yet; the machine does not upgrade itself.";
      };
      name = mkOption {
        type = types.strMatching "[A-Za-z0-9._-]{1,100}";
        default = "pulumi-nixos";
        description = "The repository's name.";
      };
      branch = mkOption {
        type = branchName;
        default = "main";
        description = "The branch that the machine follows: its plain name, without `refs/heads/`.";
      };
      access = mkOption {
        type = types.enum [
          "deploy-key"
          "token"
        ];
        default = "deploy-key";
        description = ''
          How the machine reads the repository: `deploy-key` with its own SSH key, which never
          expires, or `token` with a personal access token out of the encrypted secrets, for
          accounts that forbid deploy keys.
        '';
      };
    };

    upgrade = {
      enable = mkOption {
        type = types.bool;
        default = known;
        defaultText = lib.literalMD "whether the repository's owner is known";
        description = ''
          Whether the machine installs new revisions by itself. A revision that would end this
          without saying `enable = false` is refused by the machine.
        '';
      };

      remote = mkOption {
        type = types.str;
        default =
          if repository.access == "token" then
            "https://api.github.com/repos/${slug}"
          else
            "ssh://git@github.com/${slug}";
        defaultText = lib.literalMD "made from {option}`continuousDeployment.repository`";
        internal = true;
        description = "What is asked for the branch's revision: a git URL, or a repository of GitHub's REST API.";
      };

      flake = mkOption {
        type = types.str;
        default =
          if repository.access == "token" then
            "github:${slug}/REVISION?dir=${cfg.directory}"
          else
            "git+ssh://git@github.com/${slug}?ref=${repository.branch}&rev=REVISION&dir=${cfg.directory}";
        defaultText = lib.literalMD "made from {option}`continuousDeployment.repository`";
        internal = true;
        description = "The flake reference, with REVISION where the revision goes.";
      };

      directory = mkOption {
        type = types.strMatching "[A-Za-z0-9._/-]+";
        default = "nix";
        description = "The folder of the repository that flake.nix is in.";
      };

      attribute = mkOption {
        type = types.strMatching "[A-Za-z0-9_.-]+";
        default = "default";
        description = "Which of the flake's `nixosConfigurations` this machine is.";
      };

      dates = mkOption {
        type = types.str;
        default = "minutely";
        example = "*:0/15";
        description = "When to look for a new revision, as {manpage}`systemd.time(7)` calendar event.";
      };

      randomizedDelaySec = mkOption {
        type = types.str;
        default = "5s";
        example = "10min";
        description = "Longest random delay of each look, so that many machines do not ask at once.";
      };

      identity = mkOption {
        type = types.str;
        default = "/var/lib/id_ed25519";
        description = "The private SSH key that reads the repository where `access` is `deploy-key`.";
      };

      tokenFile = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "/run/secrets/github-access-token";
        description = ''
          The file that holds the token where `access` is `token`: bare, or as
          `extra-access-tokens = github.com=<token>`. Set by itself when the secret
          `github-access-token` is in the encrypted file.
        '';
      };

      retrySeconds = mkOption {
        type = types.ints.positive;
        default = 3600;
        description = "After how many seconds a revision that failed is tried again, unless the branch moves before.";
      };

      switchSeconds = mkOption {
        type = types.ints.positive;
        default = 600;
        description = "How many seconds the activation of a new system may take before it counts as failed.";
      };

      allowRewrittenHistory = mkOption {
        type = types.bool;
        default = false;
        description = ''
          Whether to install a revision that does not lead on from the one installed last, as after
          a forced push. Without it the machine stays where it is, and a deployment
          (`pulumi up`) is the way to such a revision.
        '';
      };

      signatures = {
        allowedSigners = mkOption {
          type = types.listOf (
            types.strMatching "(sk-)?(ssh-[a-z0-9]+|ecdsa-sha2-nistp[0-9]+)(@openssh\\.com)? [A-Za-z0-9+/]+={0,3}( [^\n\r]*)?"
          );
          default = [ ];
          example = [ "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI… octocat" ];
          description = ''
            Public SSH keys. Where there are any, the machine installs by itself only revisions whose commit is signed
            with one of them (`git commit -S` with `gpg.format = ssh`). What counts is the list of the system that runs:
            a commit that changes the list must be signed by a key of the list before it. The commit at the branch's tip
            is what must be signed; a merge is signed by whoever makes it, so merge on a computer with a key, or see
            {option}`continuousDeployment.upgrade.signatures.allowGithubMerge`. A deployment (`pulumi up`) is not asked
            for a signature.
          '';
        };
        allowGithubMerge = mkOption {
          type = types.bool;
          default = false;
          description = ''
            Whether GitHub's own signature counts too, which it gives to every commit that is made on its site or by its
            API: merges, but also edits in the browser, and those of whoever has stolen a session or a token there.
            Needs {option}`continuousDeployment.upgrade.signatures.githubKey`.
          '';
        };
        githubKey = mkOption {
          type = types.nullOr types.path;
          default = null;
          example = lib.literalExpression "./web-flow.gpg";
          description = "The public OpenPGP key that GitHub signs with: https://github.com/web-flow.gpg, saved beside the flake.";
        };
      };

      allowLockout = mkOption {
        type = types.bool;
        default = false;
        description = ''
          Whether a revision may take away the way in that deployments have: the SSH server, root's
          login or its keys, the open port. Without it the machine takes such a revision back.
        '';
      };

      health = {
        seconds = mkOption {
          type = types.ints.unsigned;
          default = 60;
          description = ''
            How many seconds a new system has to become healthy. It is judged when they are over:
            what fails and recovers before that is well.
          '';
        };
        units = mkOption {
          type = types.listOf types.str;
          default = [ ];
          example = [ "postgresql.service" ];
          description = "Units that must be active after a switch. A unit that newly fails, or dies again and again, counts in any case.";
        };
        sshPort = mkOption {
          type = types.nullOr types.port;
          default = if config.services.openssh.enable then lib.head config.services.openssh.ports else null;
          defaultText = lib.literalMD "the first port of the SSH server, where there is one";
          description = "The port on which an SSH server must answer after a switch; null checks none.";
        };
        url = mkOption {
          type = types.nullOr types.str;
          default = null;
          description = "An address that must answer with a JSON object after a switch; null asks none.";
        };
      };

      freshness = {
        limitSeconds = mkOption {
          type = types.ints.positive;
          default = 1800;
          description = ''
            For how many seconds the machine may be behind its branch, or unable to ask, before
            `nixos-upgrade-freshness.service` fails and the page turns red.
          '';
        };
        tokenWarningDays = mkOption {
          type = types.ints.unsigned;
          default = 7;
          description = "How many days before the end of the token the same happens.";
        };
        onFailure = mkOption {
          type = types.lines;
          default = "";
          example = ''curl --silent --data "$UPGRADE_PROBLEM" https://ntfy.example.org/my-machine'';
          description = ''
            Shell commands that tell somebody: run as root once for each new trouble, and once a day
            while it lasts. `UPGRADE_PROBLEM` says what it is.
          '';
        };
      };

      status = {
        linkCommit = mkOption {
          type = types.bool;
          default = true;
          description = ''
            Whether the page links to the commit that runs. The link names the repository; what is
            behind it GitHub shows only to those who may read it.
          '';
        };
        details = mkOption {
          type = types.bool;
          default = false;
          description = ''
            Whether the page and `/status.json` also show the text of errors. It can name units,
            files and addresses, and everybody can read the page.
          '';
        };
      };

      settings = mkOption {
        type = types.attrsOf types.str;
        internal = true;
        readOnly = true;
        description = "The environment of the upgrade's programs.";
      };

      substituters = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "s3://my-cache?region=eu-west-1" ];
        description = "Binary caches to ask besides NixOS's own. None by default: one that is down slows every build.";
      };

      trustedPublicKeys = mkOption {
        type = types.listOf types.str;
        default = [ ];
        description = "The public keys of {option}`continuousDeployment.upgrade.substituters`.";
      };
    };
  };

  config = lib.mkMerge [
    {
      continuousDeployment.upgrade.settings = lib.mapAttrs (_: toString) {
        UPGRADE_ENABLED = lib.boolToString cfg.enable;
        UPGRADE_ACCESS = repository.access;
        UPGRADE_REMOTE = cfg.remote;
        UPGRADE_BRANCH = repository.branch;
        UPGRADE_FLAKE = cfg.flake;
        UPGRADE_ATTRIBUTE = cfg.attribute;
        UPGRADE_COMMIT_URL = lib.optionalString cfg.status.linkCommit "https://github.com/${slug}/commit/";
        UPGRADE_IDENTITY = cfg.identity;
        UPGRADE_KNOWN_HOSTS = "${../upgrade/github-known-hosts}";
        UPGRADE_TOKEN_FILE = if cfg.tokenFile == null then "" else cfg.tokenFile;
        UPGRADE_TOKEN_CONFIG = tokenConfig;
        UPGRADE_STATE = "/var/lib/nixos-upgrade";
        UPGRADE_PUBLIC = "/run/nixos-upgrade/public";
        UPGRADE_HOLD = "/run/nixos-deploy/hold";
        UPGRADE_REJECTED = "/var/lib/nixos-deploy/rejected";
        UPGRADE_DEPLOYED = "/var/lib/nixos-deploy/deployed";
        UPGRADE_DATES = cfg.dates;
        UPGRADE_RETRY_SECONDS = cfg.retrySeconds;
        UPGRADE_SWITCH_SECONDS = cfg.switchSeconds;
        UPGRADE_ALLOW_REWRITTEN_HISTORY = lib.boolToString cfg.allowRewrittenHistory;
        UPGRADE_ALLOWED_SIGNERS = lib.optionalString signed (
          pkgs.writeText "allowed-signers" (
            lib.concatStringsSep "" (
              map (key: "signer namespaces=\"git\" ${key}\n") cfg.signatures.allowedSigners
            )
          )
        );
        UPGRADE_GITHUB_SIGNING_KEY = lib.optionalString (
          cfg.signatures.allowGithubMerge && cfg.signatures.githubKey != null
        ) "${cfg.signatures.githubKey}";
        UPGRADE_GPG = if cfg.signatures.allowGithubMerge then lib.getExe' pkgs.gnupg "gpg" else "false";
        UPGRADE_HEALTH_SECONDS = cfg.health.seconds;
        UPGRADE_HEALTH_UNITS = lib.concatStringsSep " " cfg.health.units;
        UPGRADE_HEALTH_SSH_PORT = if cfg.health.sshPort == null then "" else cfg.health.sshPort;
        UPGRADE_HEALTH_URL = if cfg.health.url == null then "" else cfg.health.url;
        UPGRADE_FRESH_SECONDS = cfg.freshness.limitSeconds;
        UPGRADE_TOKEN_WARNING_SECONDS = cfg.freshness.tokenWarningDays * 24 * 60 * 60;
        UPGRADE_ON_FAILURE = cfg.freshness.onFailure;
        UPGRADE_DETAILS = lib.boolToString cfg.status.details;
      };

      warnings =
        lib.optional (!known) ''
          The repository has no owner yet (nix/repository.json), so this machine will not upgrade itself. Run `npm run setup`.
        ''
        ++ lib.optional (known && cfg.enable && repository.access == "token" && cfg.tokenFile == null) ''
          The machine is to read its repository with a token, but there is none: nix/secrets.yaml with the secret github-access-token is missing. Run `npm run secrets token`.
        '';

      assertions = [
        {
          assertion = cfg.enable -> known;
          message = "continuousDeployment.upgrade.enable needs a repository: continuousDeployment.repository.owner is empty. Run `npm run setup`, which writes nix/repository.json.";
        }
        {
          assertion = !(config.system.autoUpgrade.enable && cfg.enable);
          message = "system.autoUpgrade.enable and continuousDeployment.upgrade.enable both want to be nixos-upgrade.service; set one of them to false.";
        }
        {
          assertion = cfg.signatures.allowGithubMerge -> cfg.signatures.githubKey != null;
          message = "continuousDeployment.upgrade.signatures.allowGithubMerge needs GitHub's key: save https://github.com/web-flow.gpg beside the flake and set continuousDeployment.upgrade.signatures.githubKey = ./web-flow.gpg.";
        }
        {
          assertion = cfg.substituters == [ ] || cfg.trustedPublicKeys != [ ];
          message = "continuousDeployment.upgrade.substituters without trustedPublicKeys: nothing from there would be accepted.";
        }
      ];

      nix.settings = {
        experimental-features = [
          "nix-command"
          "flakes"
        ];
        extra-substituters = cfg.substituters;
        extra-trusted-public-keys = cfg.trustedPublicKeys;
        # A cache that is down costs seconds, not the upgrade.
        connect-timeout = lib.mkDefault 5;
        stalled-download-timeout = lib.mkDefault 15;
        download-attempts = lib.mkDefault 2;
        fallback = lib.mkDefault true;
      };

      # The page shows the state also where upgrades are off.
      systemd.tmpfiles.rules = [
        "d /run/nixos-upgrade 0755 root root -"
        "d /run/nixos-upgrade/public 0755 root root -"
      ];
      systemd.services.nixos-upgrade-status = {
        description = "Write the machine's state for its page";
        wantedBy = [ "multi-user.target" ];
        serviceConfig = {
          Type = "oneshot";
          ExecStart = lib.getExe programs.status;
        };
      };
      environment.systemPackages = [
        programs.status
        programs.probe
      ];
    }

    # A system that says itself that it does not upgrade is believed by the one before it.
    (lib.mkIf (known && !cfg.enable) {
      environment.etc."nixos-upgrade/off".text = "continuousDeployment.upgrade.enable = false\n";
    })

    (lib.mkIf (cfg.enable && cfg.allowLockout) {
      environment.etc."nixos-upgrade/allow-lockout".text =
        "continuousDeployment.upgrade.allowLockout = true\n";
    })

    (lib.mkIf cfg.enable {
      # The system before runs this one's own check after the switch.
      environment.etc."nixos-upgrade/health".source = lib.getExe programs.health;
      # A deployment asks it before it confirms a switch.
      environment.etc."nixos-upgrade/remote".source = lib.getExe programs.remote;

      systemd.services.nixos-upgrade = network // {
        description = "Install the newest revision of the repository";
        # A switch must not stop the program that makes it.
        restartIfChanged = false;
        unitConfig.X-StopOnRemoval = false;
        # A person who starts it often by hand would hit systemd's limit, and the timer with it, which
        # then stays failed for ever.
        unitConfig.StartLimitIntervalSec = 0;
        environment = {
          HOME = "/root";
          # Builds belong to the daemon: the limits below are for the evaluation.
          NIX_REMOTE = "daemon";
        };
        serviceConfig = {
          Type = "oneshot";
          ExecStart = lib.getExe programs.upgrade;
          # Killed in the middle of a switch, it has that to end, and its timer may be a day away.
          Restart = "on-abnormal";
          RestartSec = 10;
          StateDirectory = "nixos-upgrade";
          StateDirectoryMode = "0700";
          TimeoutStartSec = lib.mkDefault "3h";
          # Evaluating takes about 1.1 GB. Beyond these limits it is slowed down and sent to swap, so
          # that what the machine is there for keeps its memory; and it is the first to go.
          MemoryHigh = lib.mkDefault "60%";
          MemoryMax = lib.mkDefault "80%";
          OOMScoreAdjust = lib.mkDefault 500;
          # An evaluation that is killed for its memory is a failed revision like any other: the
          # program must live to write that down, or it would be tried again every minute.
          OOMPolicy = "continue";
          CPUWeight = lib.mkDefault 50;
          IOWeight = lib.mkDefault 50;
        };
      };
      systemd.timers.nixos-upgrade = {
        description = "Look for a new revision of the repository";
        wantedBy = [ "timers.target" ];
        timerConfig = {
          OnCalendar = cfg.dates;
          RandomizedDelaySec = cfg.randomizedDelaySec;
          AccuracySec = "1s";
        };
      };

      systemd.services.nixos-upgrade-freshness = network // {
        description = "Is this machine still what its repository says?";
        unitConfig.StartLimitIntervalSec = 0;
        onFailure = lib.optional (cfg.freshness.onFailure != "") "nixos-upgrade-alert.service";
        restartIfChanged = false;
        serviceConfig = {
          Type = "oneshot";
          ExecStart = lib.getExe programs.probe;
          StateDirectory = "nixos-upgrade";
          StateDirectoryMode = "0700";
          TimeoutStartSec = "3min";
        };
      };
      systemd.timers.nixos-upgrade-freshness = {
        description = "Ask whether this machine is still what its repository says";
        wantedBy = [ "timers.target" ];
        timerConfig = {
          # A calendar, not a time since the last run: it goes on whatever became of that run.
          OnCalendar = "*:0/5";
          RandomizedDelaySec = "30s";
        };
      };

      systemd.services.nixos-upgrade-alert = lib.mkIf (cfg.freshness.onFailure != "") (
        network
        // {
          description = "Tell somebody that this machine no longer follows its repository";
          restartIfChanged = false;
          serviceConfig = {
            Type = "oneshot";
            ExecStart = lib.getExe programs.alert;
          };
        }
      );
    })

    (lib.mkIf (cfg.enable && repository.access == "deploy-key") {
      # For people who fetch the repository on the machine by hand, as root.
      programs.ssh.knownHostsFiles = [ ../upgrade/github-known-hosts ];
      programs.ssh.extraConfig = ''
        Match localuser root host github.com
          IdentityFile ${cfg.identity}
          IdentitiesOnly yes
      '';
    })

    (lib.mkIf (cfg.enable && repository.access == "token") {
      # With `include` a missing file would make every Nix command fail; the program that writes the
      # file lets nothing but a token through.
      nix.extraOptions = "!include ${tokenConfig}";
    })

    (lib.mkIf (cfg.enable && repository.access == "token" && cfg.tokenFile != null) {
      systemd.services.nixos-upgrade-token = {
        description = "Check the token for the repository and hand it to Nix";
        wantedBy = [ "multi-user.target" ];
        before = [ "nixos-upgrade.service" ];
        # Where secrets are opened by a unit and not while activating.
        after = [ "sops-install-secrets.service" ];
        serviceConfig = {
          Type = "oneshot";
          RemainAfterExit = true;
          ExecStart = lib.getExe programs.token;
        };
      };
    })
  ];
}
