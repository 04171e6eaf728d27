import { createHash } from "node:crypto";
import { once } from "node:events";
import { Agent, get } from "node:http";

const agent = new Agent({ keepAlive: true });

/** Fetches a picture and returns its SHA-256. Throws where it is not what the server says (its ETag is the hash), or has another length. */
export async function fetchPicture(url: string, bytesWanted: number): Promise<string> {
  const [response] = await once(get(url, { agent }), "response");
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of response) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  const sha256 = hash.digest("hex");
  if (response.statusCode !== 200 || bytes !== bytesWanted || response.headers.etag !== `"${sha256}"`) {
    throw new Error(`A picture of ${bytes} bytes came with ${response.statusCode} and ${response.headers.etag}.`);
  }
  return sha256;
}
