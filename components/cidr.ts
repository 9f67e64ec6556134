import ipaddr from "ipaddr.js";
import { type Check, problem, shown } from "./errors";

type Family = "ipv4" | "ipv6";

const EXAMPLES: Record<Family, string> = {
  ipv4: 'an IPv4 network in CIDR notation such as "203.0.113.0/24", or "0.0.0.0/0" for everyone',
  ipv6: 'an IPv6 network in CIDR notation such as "2001:db8::/32", or "::/0" for everyone',
};

/** A network of one family, written with the network's own address (AWS would rewrite 10.0.0.1/8 to 10.0.0.0/8). */
export function cidrOf(family: Family): Check<string> {
  return (property, value) => {
    const refused = (remedy?: string) => [problem(property, shown(value), EXAMPLES[family], remedy)];
    const parser = family === "ipv4" ? ipaddr.IPv4 : ipaddr.IPv6;
    const other = family === "ipv4" ? ipaddr.IPv6 : ipaddr.IPv4;
    if (typeof value !== "string") return refused();
    if (other.isValidCIDR(value))
      return refused(`This is the list of ${family === "ipv4" ? "IPv4" : "IPv6"} networks.`);
    // Four decimal parts: the library also takes the octal and one-number forms, which AWS refuses.
    if (family === "ipv4" && !/^\d+\.\d+\.\d+\.\d+\/\d+$/.test(value)) {
      return refused(
        ipaddr.IPv4.isValidFourPartDecimal(value) ? `For one address write ${shown(`${value}/32`)}.` : undefined,
      );
    }
    if (!parser.isValidCIDR(value)) return refused();
    const network = `${parser.networkAddressFromCIDR(value).toString()}/${value.split("/")[1]}`;
    const address = parser.parse(value.split("/")[0]!).toString();
    return network.startsWith(`${address}/`) ? [] : refused(`The network of this address is ${shown(network)}.`);
  };
}

/** A network as part of a resource name: unique per network and free of the characters that URNs give a meaning. */
export function cidrSlug(cidr: string): string {
  return cidr.replaceAll(":", "-").replaceAll("/", "_");
}
