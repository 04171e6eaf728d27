/** Bytes of a base64 text, or null where it is none. Strict, beside white space and the prefix of a data URL: Node's own decoder takes anything. */
export function decodeBase64(text: string): Buffer | null {
  const body = text.replace(/^data:[^,]{0,100};base64,/, "").replace(/\s+/g, "");
  if (body === "" || body.length % 4 === 1 || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(body)) return null;
  return Buffer.from(body, "base64");
}
