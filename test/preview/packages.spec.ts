/** Reads listings of store paths that are made up; system/packages.spec.ts asks a real Nix. */
import * as assert from "node:assert/strict";
import { comparePackages, difference, type Run } from "../../cli/preview/packages";

const stored = (name: string, hash = "0") => `/nix/store/${hash.repeat(32)}-${name}`;

describe("the packages of two systems", () => {
  it("are added, removed and bumped by name and version", () => {
    const before = ["nginx-1.26.2", "openssl-3.0.14-bin", "openssl-3.0.14", "jq-1.7.1", "hello-2.12"];
    const after = ["nginx-1.28.0", "openssl-3.0.14", "hello-2.12", "git-2.50.1", "git-2.50.1-doc"];
    assert.deepEqual(
      difference(
        before.map((name) => stored(name)),
        after.map((name) => stored(name)),
      ),
      {
        added: [{ name: "git", before: [], after: ["2.50.1"] }],
        removed: [{ name: "jq", before: ["1.7.1"], after: [] }],
        bumped: [{ name: "nginx", before: ["1.26.2"], after: ["1.28.0"] }],
      },
    );
  });

  it("do not count sources, patches, units and the system itself", () => {
    const names = [
      "nixos-system-nixos-26.05",
      "unit-nginx.service",
      "linux-6.12.1.tar.xz.drv",
      "fix-1.patch",
      "source",
    ];
    assert.deepEqual(
      difference(
        [],
        names.map((name) => stored(name)),
      ),
      { added: [], removed: [], bumped: [] },
    );
  });

  it("keep two versions of one package apart", () => {
    const [before, after] = [["lib-1.0", "lib-2.0"], ["lib-2.0"]].map((names) => names.map((name) => stored(name)));
    assert.deepEqual(difference(before!, after!).bumped, [{ name: "lib", before: ["1.0", "2.0"], after: ["2.0"] }]);
  });

  const [old, current] = [stored("nixos-system-a.drv", "a"), stored("nixos-system-a.drv", "b")];

  /** A store that knows some derivations; nothing in it is built. */
  const store =
    (closures: Record<string, string[]>): Run =>
    (_program, args) => {
      if (args[0] === "--version") return Promise.resolve("nix-store (Nix) 2.8.0");
      if (args[1] === "--requisites") return Promise.resolve(closures[args[2]!]?.join("\n"));
      return Promise.resolve(args[1] === "--outputs" ? stored("not-built") : undefined);
    };

  it("are taken from the derivations where nothing is built, with the units that differ", async () => {
    const run = store({
      [old]: [
        stored("unit-nginx.service.drv", "1"),
        stored("unit-sshd.service.drv", "1"),
        stored("unit-script-nginx-start.drv", "1"),
      ],
      [current]: [
        stored("unit-nginx.service.drv", "2"),
        stored("unit-sshd.service.drv", "1"),
        stored("unit-script-nginx-start.drv", "2"),
      ],
    });
    assert.deepEqual(await comparePackages(old, current, run), {
      kind: "compared",
      basis: "derivations",
      added: [],
      removed: [],
      bumped: [],
      units: ["nginx.service"],
    });
  });

  it("are not compared without Nix, without the old derivation, or in hash mode, and that is said", async () => {
    const reasons = await Promise.all([
      comparePackages(old, current, () => Promise.resolve(undefined)),
      comparePackages(old, current, store({ [current]: [] })),
      comparePackages("sha256-a", "sha256-b"),
      comparePackages(old, "--help.drv"),
    ]);
    assert.deepEqual(
      reasons.map((comparison) => comparison.kind === "unknown" && comparison.reason),
      [
        "Nix is not installed here",
        "the old derivation is not in the Nix store of this computer",
        "the stack compares a hash of the flake's folder, not derivations",
        "the stack compares a hash of the flake's folder, not derivations",
      ],
    );
  });
});
