/** Whether only programs on this machine can reach a gRPC address: a loopback literal, `localhost`, or a Unix socket. */
export function isLocalAddress(address: string): boolean {
  if (address.startsWith("unix:")) return true;
  const host = address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, "");
  return host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}
