import ipaddr from "ipaddr.js";
import { type ValueRule, problem, quote } from "./errors";

type Family = "ipv4" | "ipv6";

const EXAMPLES: Record<Family, string> = {
  ipv4: 'an IPv4 network in CIDR notation such as "203.0.113.0/24", or "0.0.0.0/0" for everyone',
  ipv6: 'an IPv6 network in CIDR notation such as "2001:db8::/32", or "::/0" for everyone',
};

const ONE_ADDRESS: Record<Family, number> = { ipv4: 32, ipv6: 128 };

/**
 * A network of one family, in the one spelling that AWS keeps: with the network's own address (AWS would rewrite
 * 10.0.0.1/8 to 10.0.0.0/8), IPv6 in its short form. Another spelling would differ from AWS's for ever, and two
 * spellings would be two resources for one rule.
 */
export function cidrOf(family: Family): ValueRule<string> {
  return (property, value) => {
    const refused = (remedy?: string) => [problem(property, quote(value), EXAMPLES[family], remedy)];
    const parser = family === "ipv4" ? ipaddr.IPv4 : ipaddr.IPv6;
    const other = family === "ipv4" ? ipaddr.IPv6 : ipaddr.IPv4;
    if (typeof value !== "string") return refused();
    if (other.isValidCIDR(value))
      return refused(`This is the list of ${family === "ipv4" ? "IPv4" : "IPv6"} networks.`);
    const [address, prefix, ...rest] = value.split("/") as [string, string?];
    // Four decimal parts: the library also takes the octal and one-number forms, which other programs read otherwise.
    const isAddress = family === "ipv4" ? ipaddr.IPv4.isValidFourPartDecimal(address) : ipaddr.IPv6.isValid(address);
    if (!isAddress || rest.length > 0) return refused();
    if (prefix === undefined) return refused(`For one address write ${quote(`${address}/${ONE_ADDRESS[family]}`)}.`);
    if (!/^(0|[1-9]\d*)$/.test(prefix) || !parser.isValidCIDR(value)) return refused();
    const network = `${parser.networkAddressFromCIDR(value).toString()}/${prefix}`;
    return network === value ? [] : refused(`The network of this address is ${quote(network)}.`);
  };
}

/** A network as part of a resource name: unique per network and free of the characters that URNs give a meaning. */
export function cidrSlug(cidr: string): string {
  return cidr.replaceAll(":", "-").replaceAll("/", "_");
}
