/** 127.0.0.0/8, also as IPv6 sockets write it, and ::1. */
const LOOPBACK = /^(?:(?:::ffff:)?127(?:\.\d{1,3}){3}|::1)$/;

/** True for an address of this machine itself, as `socket.remoteAddress` writes it. */
export function isLoopback(address: string | undefined): boolean {
  return LOOPBACK.test(address ?? "");
}
