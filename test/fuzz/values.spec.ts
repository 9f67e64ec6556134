/**
 * Values of the configuration, each near a valid one or of any kind: no check throws, what is refused has a message,
 * and what is taken holds no sign that a shell could obey (in a public key's comment: that a terminal could). FUZZ_RUNS sets the number of cases.
 */
import { type ValueRule } from "../../components/values/errors";
import * as rules from "../../components/values/rules";
import { cidrOf } from "../../components/values/cidr";
import { RULES } from "../../components/deploy/rules.cjs";
import { githubToken } from "../../components/values/githubToken";
import { amiId, nixosRelease } from "../../components/values/nixosAmi";
import { branchName, ownerName, repositoryName, requiredCheckNames } from "../../components/values/repositoryNames";
import fc from "fast-check";
import { anyValue, assertChecks, harmless, near } from "./fuzz";

describe("fuzz: texts of the configuration", () => {
  const texts: [string, ValueRule<string>, string[], RegExp][] = [
    // ? and & are Nix's. Where a reference goes through a shell it is quoted, which test/fuzz/words.spec.ts tries.
    [
      "flake references",
      rules.byRule(RULES.flake),
      ["path:./nix#default", "github:octo/server?dir=nix#web"],
      /^[A-Za-z0-9._~:/?=&%+@,][A-Za-z0-9._~:/?=&%+@,#-]*$/,
    ],
    ["owners", ownerName, ["octo", "octo-org", "octo_acme"], /^[A-Za-z0-9][A-Za-z0-9_-]*$/],
    ["repositories", repositoryName, ["server", "pulumi-nixos.2"], /^[A-Za-z0-9._-]+$/],
    ["branches", branchName, ["main", "feature/a+b@c"], /^[A-Za-z0-9_][A-Za-z0-9._/@+-]*$/],
    ["tokens", githubToken, [`github_pat_${"a1".repeat(20)}`, `ghp_${"Z".repeat(36)}`], /^g[A-Za-z0-9_]+$/],
    ["IPv4 networks", cidrOf("ipv4"), ["203.0.113.0/24", "0.0.0.0/0"], /^[0-9./]+$/],
    ["IPv6 networks", cidrOf("ipv6"), ["2001:db8::/32", "::/0"], /^[0-9a-f:./]+$/],
    ["releases", nixosRelease, ["26.05", "25.11"], /^\d\d\.\d\d$/],
    ["images", amiId, ["ami-0123456789abcdef0"], /^ami-[0-9a-f]+$/],
    [
      "hosts",
      rules.byRule(RULES.host),
      ["server.example.org", "192.0.2.1", "2001:db8::1"],
      /^[A-Za-z0-9_:][A-Za-z0-9_.:-]*$/,
    ],
    [
      "build places",
      rules.byRule(RULES.buildOn),
      ["host", "local", "root@builder.example.org"],
      /^[A-Za-z0-9_][A-Za-z0-9_.@-]*$/,
    ],
    ["subnets", rules.subnetId, ["subnet-0123456789abcdef0"], /^subnet-[0-9a-f]+$/],
    [
      "public keys",
      rules.byRule(RULES.publicKey),
      [`ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA${"I".repeat(44)}`],
      /^ssh-ed25519 [A-Za-z0-9+/=]+( \P{Cc}*)?\n?$/u,
    ],
  ];
  for (const [name, check, valid, safe] of texts) {
    it(name, () => assertChecks(check, fc.oneof({ arbitrary: near(...valid), weight: 9 }, anyValue), harmless(safe)));
  }

  it("ports", () => {
    const values = fc.oneof(fc.integer(), fc.double(), fc.integer({ min: -2, max: 70_000 }), anyValue);
    const isPort = (port: unknown) => Number.isInteger(port) && Number(port) >= 1 && Number(port) <= 65_535;
    assertChecks(rules.byRule(RULES.sshPort), values, isPort);
  });

  it("names of checks", () => {
    const values = fc.oneof(fc.array(near("Evaluate flake.nix"), { maxLength: 4 }), anyValue);
    const isList = (names: unknown) => Array.isArray(names) && names.length > 0 && new Set(names).size === names.length;
    assertChecks(requiredCheckNames, values, isList);
  });
});
