# What Nix is told besides, when a new revision is evaluated and built.
{
  config,
  lib,
  ...
}:

let
  inherit (lib) mkOption types;

  cfg = config.pulumiNixos.upgrade;

  # Both `nix eval` and `nix-store --realise` take them.
  alone = [
    "--fallback"
    "--keep-going"
    "--no-fallback"
    "--quiet"
    "--show-trace"
    "--verbose"
  ];
  withNumber = [
    "--cores"
    "--max-jobs"
    "--max-silent-time"
    "--timeout"
  ];
  # Settings that say how much, how long or how loud. Any other would decide whom the machine trusts, or make another
  # system of the revision than its checks have built; by a list of those one is missed easily, as Nix still takes the old
  # names too (`binary-caches`).
  settings = [
    "auto-optimise-store"
    "build-dir"
    "build-poll-interval"
    "connect-timeout"
    "cores"
    "download-attempts"
    "download-buffer-size"
    "download-speed"
    "eval-cache"
    "fallback"
    "fsync-metadata"
    "fsync-store-paths"
    "http-connections"
    "http2"
    "keep-build-log"
    "keep-failed"
    "keep-going"
    "log-lines"
    "max-build-log-size"
    "max-call-depth"
    "max-free"
    "max-jobs"
    "max-silent-time"
    "max-substitution-jobs"
    "min-free"
    "min-free-check-interval"
    "nar-buffer-size"
    "narinfo-cache-negative-ttl"
    "narinfo-cache-positive-ttl"
    "preallocate-contents"
    "print-missing"
    "show-trace"
    "stalled-download-timeout"
    "substitute"
    "sync-before-registering"
    "tarball-ttl"
    "timeout"
    "trace-function-calls"
    "trace-verbose"
    "use-cgroups"
    "use-sqlite-wal"
    "warn-dirty"
  ];
  elsewhere =
    name:
    if lib.elem name settings then
      null
    else if builtins.match ".*(substituters|binary-caches|public-keys|require-sigs)" name != null then
      "set pulumiNixos.upgrade.substituters and trustedPublicKeys"
    else if builtins.match "(extra-)?access-tokens|netrc-file" name != null then
      # All flags can be read by everybody.
      "a token belongs into the encrypted secrets (npm run secrets token)"
    else
      "it belongs into nix.settings; allowed here are ${lib.concatStringsSep ", " settings}";

  problem = flag: what: "pulumiNixos.upgrade.flags: \"${flag}\" ${what}.";
  check =
    flags:
    let
      flag = lib.head flags;
      value = lib.head (lib.tail flags);
      rest = lib.tail flags;
    in
    if flags == [ ] then
      [ ]
    else if lib.elem flag alone then
      check rest
    else if lib.elem flag withNumber then
      if rest == [ ] || builtins.match "[0-9]+" value == null then
        [ (problem flag "needs a number after it, as the next word") ] ++ check rest
      else
        check (lib.tail rest)
    else if flag == "--option" then
      if lib.length rest < 2 || builtins.match "[a-z][a-z0-9-]*" value == null then
        [ (problem flag "needs the name of a setting and its value after it, as two more words") ]
      else
        lib.optional (elsewhere value != null) (
          problem "--option ${value}" "is refused: ${elsewhere value}"
        )
        ++ check (lib.tail (lib.tail rest))
    else
      [
        (problem flag "is not taken; allowed are ${
          lib.concatStringsSep ", " (alone ++ map (name: "${name} NUMBER") withNumber)
        } and --option NAME VALUE, each word by itself")
      ]
      ++ check rest;
in
{
  options.pulumiNixos.upgrade.flags = mkOption {
    type = types.listOf (types.strMatching "[^\n\r]+");
    default = [ ];
    example = [
      "--max-jobs"
      "1"
      "--option"
      "http-connections"
      "4"
    ];
    description = ''
      Flags of Nix for the evaluation and the build of a new revision, one word each: `--show-trace`, `--verbose`,
      `--quiet`, `--keep-going`, `--fallback`, `--no-fallback`; `--cores`, `--max-jobs`, `--timeout` and
      `--max-silent-time` with a number; `--option` with a setting that says how much, how long or how loud, and its
      value. What decides whom the machine trusts, or what the revision is, is refused.
    '';
  };

  config = {
    pulumiNixos.upgrade.settings.UPGRADE_NIX_FLAGS = lib.concatStringsSep "\n" cfg.flags;
    assertions = map (message: {
      assertion = false;
      inherit message;
    }) (check cfg.flags);
  };
}
