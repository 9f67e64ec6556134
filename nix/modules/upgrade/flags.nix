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
  # Of these a flag would say for one program what the machine's other Nix commands do not know, or make another system
  # of the revision than its checks have built; and all flags can be read by everybody.
  elsewhere =
    name:
    if builtins.match ".*(substituters|trusted-public-keys|require-sigs)" name != null then
      "set pulumiNixos.upgrade.substituters and trustedPublicKeys"
    else if builtins.match "(extra-)?access-tokens|netrc-file" name != null then
      "a token belongs into the encrypted secrets (npm run secrets token)"
    else if
      lib.elem name [
        "accept-flake-config"
        "allow-import-from-derivation"
        "experimental-features"
        "extra-experimental-features"
        "impure-env"
        "post-build-hook"
        "pure-eval"
        "restrict-eval"
        "sandbox"
        "system"
      ]
    then
      "it belongs into nix.settings"
    else
      null;

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
      `--max-silent-time` with a number; `--option` with a setting and its value. What decides whom the machine trusts,
      or what the revision is, is refused.
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
