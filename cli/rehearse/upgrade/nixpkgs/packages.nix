# Packages that are only names. A shell application keeps what it was made of.
let
  package = name: {
    type = "derivation";
    inherit name;
    pname = name;
    outPath = "/stub/${name}";
    meta.mainProgram = name;
  };
  packages =
    builtins.listToAttrs (
      map
        (name: {
          inherit name;
          value = package name;
        })
        [
          "bash"
          "coreutils"
          "curl"
          "gitMinimal"
          "gnupg"
          "gnugrep"
          "gnused"
          "jq"
          "nftables"
          "nixfmt"
          "nixfmt-tree"
          "nixos-rebuild-ng"
          "openssh"
          "systemd"
          "util-linux"
        ]
    )
    // {
      path = ./.;
      writeShellScript = name: text: builtins.seq text (package name);
      writeText = name: text: builtins.seq text (package name);
      runCommand =
        name: _: _:
        package name;
      testers.runNixOSTest = test: package test.name;
      stdenv.hostPlatform.system = "x86_64-linux";
      writeShellApplication = application: package application.name // { inherit application; };
    };
in
{
  x86_64-linux = packages;
  aarch64-linux = packages;
  x86_64-darwin = packages;
  aarch64-darwin = packages;
}
