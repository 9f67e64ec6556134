import semver from "semver";
import { failed, note, ok, type Result } from "../common/result";
import { failureOf, firstLine, type Context } from "../common/context";

/** Previews evaluate nix/ with it; without it the program can compare a hash of the folder instead. */
export async function checkNix(context: Context): Promise<Result[]> {
  const version = await context.run("nix", ["--version"]);
  if (version.code !== 0) {
    return [
      failed(
        "Nix",
        failureOf("nix", version),
        "Install it from https://nixos.org/download, or do without: `pulumi config set --path deployment.evaluate false` compares a hash of nix/ in previews, and the machine builds itself.",
      ),
    ];
  }
  return [
    ok("Nix", firstLine(version.stdout)),
    ...(await checkFlakes(context, version.stdout)),
    ...platformNotes(context),
  ];
}

/** Deployments turn flakes on for themselves; a Nix that does not know them cannot be helped that way. */
async function checkFlakes(context: Context, version: string): Promise<Result[]> {
  const number = semver.coerce(version);
  if (number !== null && semver.lt(number, "2.4.0")) {
    return [failed("flakes", `this Nix does not know them: ${firstLine(version)}`, "Install Nix 2.8 or newer.")];
  }
  // `flake metadata` of an empty registry name would need the network; this evaluates nothing.
  const probe = await context.run("nix", ["eval", "--expr", "builtins ? getFlake"]);
  if (probe.timedOut) return [note("flakes", failureOf("nix", probe), "Run this again.")];
  return probe.code === 0 && probe.stdout.trim() === "true"
    ? [ok("flakes", "on")]
    : [
        note(
          "flakes",
          "off in your own nix.conf",
          "Deployments turn them on for themselves. For `nix build` by hand add to ~/.config/nix/nix.conf: experimental-features = nix-command flakes",
        ),
      ];
}

/** The machine is x86_64-linux; what other computers can and cannot do about it. */
function platformNotes({ platform, arch }: Context): Result[] {
  const name = platform === "darwin" ? (arch === "arm64" ? "Apple Silicon" : "macOS") : `${platform} on ${arch}`;
  if (platform === "linux" && arch === "x64") return [];
  return [
    note(
      "platform",
      `${name}: evaluates nix/, but cannot build x86_64-linux by itself`,
      "Previews work here. What must be built is built by the machine (buildOn: host, the default) or by a Linux builder (buildOn: user@builder); buildOn: local needs a Linux builder in your nix.conf.",
    ),
  ];
}
