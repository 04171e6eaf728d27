import ipaddr from "ipaddr.js";

/** What counts as one address: an IPv4 address, or the /64 of an IPv6 one, all of which one machine may use as it likes. */
export function addressKey(text: string): string {
  if (!ipaddr.isValid(text)) return text;
  const address = ipaddr.process(text);
  if (address.kind() === "ipv4") return address.toString();
  return `${address.toByteArray().slice(0, 8).join(".")}/64`;
}
