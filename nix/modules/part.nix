# What each of the modules has: the option `enable`, and the names that its options had before.
{
  name,
  description,
  renamed,
  # For this version a module of which nobody says whether it is on, is on: importing it was enough before.
  onByImport ? (_: true),
}:

{
  config,
  lib,
  options,
  ...
}:

{
  imports = [
    ./namespace.nix
    (import ./renamed.nix renamed)
  ];

  options.pulumiNixos.${name}.enable = lib.mkOption {
    type = lib.types.bool;
    default = onByImport config;
    defaultText = lib.literalMD "`false` from the next version on; until then what importing the module did";
    inherit description;
  };

  config.pulumiNixos.onByImport = lib.optional (
    # 1500 is the priority of an option's own default.
    options.pulumiNixos.${name}.enable.highestPrio >= 1500 && onByImport config
  ) name;
}
