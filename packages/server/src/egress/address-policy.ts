import ipaddr from "ipaddr.js";

/** Which hosts a request of ours may reach. */
export interface AddressPolicy {
  /** True for a host name or a literal that the operator allowed by name. */
  allowsHost(host: string): boolean;
  /** True for an address that the operator allowed, alone or in a range. */
  isOwn(address: string): boolean;
  /** True for an address that may be connected to. */
  allowsAddress(address: string): boolean;
}

const GLOBAL_IPV6 = ipaddr.parseCIDR("2000::/3");

/** Only addresses of the public internet, beside what the operator allows: host names (`hooks.internal`), addresses, and ranges in
 *  CIDR form. Everything that `ipaddr.js` does not call unicast is refused: private, loopback, link-local, carrier-grade NAT,
 *  multicast, reserved, and the IPv6 forms that carry an IPv4 address (mapped, NAT64, 6to4, Teredo). */
export function createAddressPolicy(allowed: readonly string[]): AddressPolicy {
  const hosts = new Set<string>();
  const ranges: [ipaddr.IPv4 | ipaddr.IPv6, number][] = [];
  for (const entry of allowed) {
    if (ipaddr.isValidCIDR(entry)) ranges.push(ipaddr.parseCIDR(entry));
    else if (ipaddr.isValid(entry)) {
      const address = ipaddr.process(entry);
      ranges.push([address, address.kind() === "ipv4" ? 32 : 128]);
    } else hosts.add(entry.toLowerCase());
  }
  // A mapped address is judged as the IPv4 address that it reaches, but only for the operator's own ranges.
  const isOwn = (text: string): boolean => {
    if (!ipaddr.isValid(text)) return false;
    const plain = ipaddr.process(text);
    return ranges.some(([range, bits]) => range.kind() === plain.kind() && plain.match(range, bits));
  };
  return {
    isOwn,
    allowsHost: (host) => hosts.has(host.toLowerCase()),
    allowsAddress: (text) => {
      if (!ipaddr.isValid(text)) return false;
      if (isOwn(text)) return true;
      const address = ipaddr.parse(text);
      if (address.range() !== "unicast") return false;
      // ipaddr.js takes the deprecated `::a.b.c.d` and all unassigned space for unicast; what is routed is 2000::/3 (RFC 4291).
      return address.kind() === "ipv4" || address.match(GLOBAL_IPV6);
    },
  };
}
