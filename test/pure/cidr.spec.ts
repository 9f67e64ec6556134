/**
 * cidr.ts against an independent oracle: node:net, BigInt arithmetic, and the URL parser's way to write an IPv6 address.
 * Cannot prove: what else AWS refuses, such as more rules than a security group may hold.
 */
import assert from "node:assert/strict";
import { isIPv4, isIPv6 } from "node:net";
import fc from "fast-check";
import { cidrOf, cidrSlug } from "../../components/values/cidr";

const ipv4 = (value: unknown) => cidrOf("ipv4")("sshCidrBlocks[0]", value as string);
const ipv6 = (value: unknown) => cidrOf("ipv6")("sshIpv6CidrBlocks[0]", value as string);
const IPV4 = 'an IPv4 network in CIDR notation such as "203.0.113.0/24", or "0.0.0.0/0" for everyone';
const IPV6 = 'an IPv6 network in CIDR notation such as "2001:db8::/32", or "::/0" for everyone';

describe("cidrOf", () => {
  for (const value of ["0.0.0.0/0", "10.0.0.0/8", "203.0.113.7/32"]) {
    it(`takes ${value}`, () => assert.deepEqual(ipv4(value), []));
  }
  for (const value of ["::/0", "2001:db8::/32", "2001:db8::7/128"]) {
    it(`takes ${value}`, () => assert.deepEqual(ipv6(value), []));
  }

  const messages: [string, unknown, string][] = [
    ["a prefix over 32", "10.0.0.0/33", `got "10.0.0.0/33"; allowed: ${IPV4}.`],
    ["an address without prefix", "0.0.0.0", `got "0.0.0.0"; allowed: ${IPV4}. For one address write "0.0.0.0/32".`],
    [
      "an IPv6 network in the IPv4 list",
      "2001:db8::/32",
      `got "2001:db8::/32"; allowed: ${IPV4}. This is the list of IPv4 networks.`,
    ],
    [
      "an address inside the network",
      "10.0.0.1/8",
      `got "10.0.0.1/8"; allowed: ${IPV4}. The network of this address is "10.0.0.0/8".`,
    ],
    [
      "an octal part, which other programs read as another address",
      "010.0.0.0/8",
      `got "010.0.0.0/8"; allowed: ${IPV4}.`,
    ],
    ["a prefix with a zero before it", "10.0.0.0/08", `got "10.0.0.0/08"; allowed: ${IPV4}.`],
    ["a short form", "10/8", `got "10/8"; allowed: ${IPV4}.`],
    ["a newline", "10.0.0.0/8\n", `got "10.0.0.0/8\\n"; allowed: ${IPV4}.`],
    ["an empty text", "", `got ""; allowed: ${IPV4}.`],
    ["a number", 10, `got 10; allowed: ${IPV4}.`],
  ];
  for (const [what, value, message] of messages) {
    it(`refuses ${what} in the IPv4 list`, () => assert.deepEqual(ipv4(value), [`sshCidrBlocks[0]: ${message}`]));
  }

  const messages6: [string, unknown, string][] = [
    ["a prefix over 128", "::/129", `got "::/129"; allowed: ${IPV6}.`],
    ["an IPv4 network", "10.0.0.0/8", `got "10.0.0.0/8"; allowed: ${IPV6}. This is the list of IPv6 networks.`],
    [
      "an address without prefix",
      "2001:db8::7",
      `got "2001:db8::7"; allowed: ${IPV6}. For one address write "2001:db8::7/128".`,
    ],
    [
      "an address inside the network",
      "2001:db8::1/32",
      `got "2001:db8::1/32"; allowed: ${IPV6}. The network of this address is "2001:db8::/32".`,
    ],
    // AWS stores the short form: another spelling would differ for ever, and be the same rule under another name.
    ["another spelling", "0::/0", `got "0::/0"; allowed: ${IPV6}. The network of this address is "::/0".`],
    [
      "capital letters",
      "2001:DB8::/32",
      `got "2001:DB8::/32"; allowed: ${IPV6}. The network of this address is "2001:db8::/32".`,
    ],
    ["a prefix with a zero before it", "::/00", `got "::/00"; allowed: ${IPV6}.`],
  ];
  for (const [what, value, message] of messages6) {
    it(`refuses ${what} in the IPv6 list`, () => assert.deepEqual(ipv6(value), [`sshIpv6CidrBlocks[0]: ${message}`]));
  }

  it("agrees with the oracle on IPv4 networks", () => {
    const part = fc.oneof(fc.nat(255), fc.nat(300), fc.constantFrom("00", "01", "", "x"));
    const prefix = fc.oneof(fc.nat(32), fc.nat(40), fc.constantFrom("08", "", "-1"));
    const candidate = fc.tuple(part, part, part, part, prefix).map(([a, b, c, d, p]) => `${a}.${b}.${c}.${d}/${p}`);
    fc.assert(
      fc.property(candidate, (text) => assert.equal(ipv4(text).length === 0, isIpv4Network(text), text)),
      { numRuns: 1000 },
    );
  });

  it("takes every network of an IPv4 address", () => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), fc.nat(32), (address, prefix) => {
        const network = BigInt(address) & mask(32, prefix);
        const text = [24n, 16n, 8n, 0n].map((shift) => String((network >> shift) & 255n)).join(".");
        assert.deepEqual(ipv4(`${text}/${prefix}`), []);
      }),
    );
  });

  it("agrees with the oracle on IPv6 networks", () => {
    const candidate = fc.tuple(fc.ipV6(), fc.nat(140)).map(([address, prefix]) => `${address}/${prefix}`);
    fc.assert(
      fc.property(candidate, (text) => assert.equal(ipv6(text).length === 0, isIpv6Network(text), text)),
      { numRuns: 1000 },
    );
  });

  it("takes every network of an IPv6 address", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), fc.nat(128), (address, prefix) => {
        assert.deepEqual(ipv6(`${ipv6Text(address & mask(128, prefix))}/${prefix}`), []);
      }),
    );
  });

  it("never takes a text that is no network of its family", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        assert.equal(ipv4(text).length === 0, isIpv4Network(text));
        assert.equal(ipv6(text).length === 0, isIpv6Network(text));
      }),
    );
  });
});

describe("cidrSlug", () => {
  it("replaces what means something in a URN", () => {
    assert.equal(cidrSlug("10.0.0.0/8"), "10.0.0.0_8");
    assert.equal(cidrSlug("::/0"), "--_0");
    assert.equal(cidrSlug("2001:db8::/32"), "2001-db8--_32");
  });

  it("is another one for another network", () => {
    const network = fc.tuple(fc.ipV6(), fc.nat(128)).map(([address, prefix]) => `${address}/${prefix}`);
    fc.assert(fc.property(network, network, (a, b) => (a === b) === (cidrSlug(a) === cidrSlug(b))));
  });
});

function mask(bits: number, prefix: number): bigint {
  return ((1n << BigInt(prefix)) - 1n) << BigInt(bits - prefix);
}

function isIpv4Network(text: string): boolean {
  const [address, prefix, ...rest] = text.split("/");
  if (rest.length > 0 || !isIPv4(address ?? "") || !isPrefix(prefix, 32)) return false;
  const value = address!.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
  return (value & ~mask(32, Number(prefix)) & 0xffffffffn) === 0n;
}

function isIpv6Network(text: string): boolean {
  const [address, prefix, ...rest] = text.split("/");
  if (rest.length > 0 || !isIPv6(address ?? "") || !isPrefix(prefix, 128)) return false;
  if (address!.includes("%")) return false;
  const short = shortIpv6(address!);
  const value = ipv6Value(short);
  return short === address && (value & ~mask(128, Number(prefix)) & ((1n << 128n) - 1n)) === 0n;
}

function isPrefix(text: string | undefined, most: number): boolean {
  return /^(0|[1-9]\d*)$/.test(text ?? "") && Number(text) <= most;
}

/** The URL parser writes IPv6 addresses in the form of RFC 5952. */
function shortIpv6(address: string): string {
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}

function ipv6Text(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
  return shortIpv6(groups.join(":"));
}

function ipv6Value(short: string): bigint {
  const [head, tail] = short.split("::") as [string, string | undefined];
  const groups = (part: string | undefined) => (part === undefined || part === "" ? [] : part.split(":"));
  const zeros = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array<string>(zeros).fill("0"), ...groups(tail)];
  return all.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}
