# Options that were below `continuousDeployment` once and have kept their own names.
paths:
{ lib, ... }:

{
  imports = map (
    path:
    lib.mkRenamedOptionModule ([ "continuousDeployment" ] ++ lib.splitString "." path) (
      [ "pulumiNixos" ] ++ lib.splitString "." path
    )
  ) paths;
}
