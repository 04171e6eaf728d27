/** An address of this machine itself, as `socket.remoteAddress` writes it. */
export function isLoopback(address: string | undefined): boolean {
  return address === "::1" || /^(?:::ffff:)?127\./.test(address ?? "");
}
