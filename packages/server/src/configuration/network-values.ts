import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import { z } from "zod";
import { list } from "./values.ts";

/** An address or a host name to listen on. An IPv6 address may stand in brackets, as in a URL. */
export function listenHost() {
  return z
    .string()
    .min(1)
    .transform((text) => text.replace(/^\[(.+)\]$/, "$1"));
}

/** Reverse proxies, in what express's `trust proxy` takes. */
export function proxies() {
  return listOf(
    (entry) => PROXY_WORDS.includes(entry) || isAddress(entry) || (isRange(entry) && !isAll(entry)) || isMasked(entry),
    `addresses, ranges such as 10.0.0.0/24, or the words ${PROXY_WORDS.join(", ")}`,
  );
}

const PROXY_WORDS = ["loopback", "linklocal", "uniquelocal"];

/** Hosts that requests of ours may reach. A name is what a URL has for its host, so it has no port. */
export function reachableHosts() {
  return listOf(
    (entry) => isAddress(entry) || isRange(entry) || isHostName(entry),
    "host names, addresses, or ranges such as 10.0.0.0/24",
  );
}

/** A list whose entries are all of one kind. `kind` says of which. */
function listOf(isOne: (entry: string) => boolean, kind: string) {
  return list().transform((entries, context) => {
    const wrong = entries.find((entry) => !isOne(entry));
    if (wrong === undefined) return entries;
    context.addIssue({ code: "custom", message: `must list ${kind}; ${JSON.stringify(wrong)} is none of them` });
    return z.NEVER;
  });
}

/** ipaddr.js alone takes `1` for an address, too. */
function isAddress(text: string): boolean {
  return isIP(text) !== 0 && ipaddr.isValid(text);
}

/** `10.0.0.0/24`. */
function isRange(text: string): boolean {
  return isAddress(text.split("/")[0] ?? "") && ipaddr.isValidCIDR(text);
}

/** Of a range of all addresses express says that it is none. */
function isAll(range: string): boolean {
  return /\/0+$/.test(range);
}

/** `10.0.0.0/255.255.255.0`. */
function isMasked(text: string): boolean {
  const [, address = "", mask = ""] = /^([^/]+)\/([^/]+)$/.exec(text) ?? [];
  if (isIP(address) !== 4 || isIP(mask) !== 4) return false;
  return (ipaddr.IPv4.parse(mask).prefixLengthFromSubnetMask() ?? 0) > 0;
}

/** A last label of digits makes an address of it, for whoever reads a URL. */
function isHostName(text: string): boolean {
  const labels = text.replace(/\.$/, "").split(".");
  return labels.every((label) => /^[a-z0-9_-]{1,63}$/i.test(label)) && !/^\d+$/.test(labels.at(-1) ?? "");
}
