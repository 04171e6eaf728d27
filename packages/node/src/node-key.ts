import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Logger } from "pino";
import { z } from "zod";

/** How an enrolment token begins: it is no key, but gets the node one. */
const ENROLMENT_PREFIX = "genai_ne_";
/** Between two calls of a server that does not answer, and how long one may take. Milliseconds. */
const RETRY_MS = 3_000;
const CALL_MS = 10_000;

const Enrolled = z.object({ key: z.string().min(1) });

interface KeyOptions {
  readonly home: string;
  /** The server's WebSocket URL. */
  readonly backend: string;
  readonly nodeId: string;
  readonly token: string | null;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** What the node shows the server: its own key where its home has one, else one that the server gives it for an enrolment token, else
 *  the token as it is. Waits for a server that is away, until `signal` is aborted, whose reason it then throws; rejects with a sentence
 *  where the server refuses. */
export async function readNodeKey(options: KeyOptions): Promise<string | null> {
  const { home, token } = options;
  const path = join(home, "node.key");
  const kept = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  if (kept.trim() !== "") return kept.trim();
  if (token === null || !token.startsWith(ENROLMENT_PREFIX)) return token;
  const key = await enrol(options, token);
  await writeFile(path, `${key}\n`, { mode: 0o600, flush: true });
  options.logger.info({ nodeId: options.nodeId }, "enrolled: from now on this node shows a key of its own");
  return key;
}

async function enrol(
  { backend, nodeId, logger, signal }: Pick<KeyOptions, "backend" | "nodeId" | "logger" | "signal">,
  token: string,
): Promise<string> {
  const url = new URL("/v2/nodes/enrol", backend.replace(/^ws/, "http"));
  for (;;) {
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ token, nodeId }),
        redirect: "error",
        // Not cut off by the caller's signal: the answer may be the only copy of the key.
        signal: AbortSignal.timeout(CALL_MS),
      });
      if (response.ok) return Enrolled.parse(await response.json()).key;
      if (response.status < 500 && response.status !== 429) throw new EnrolmentRefused(nodeId, response.status);
      logger.warn({ status: response.status }, "the server can't enrol this node at present");
    } catch (error) {
      if (error instanceof EnrolmentRefused || error instanceof z.ZodError) throw error;
      logger.warn({ server: url.origin }, "the server that is to enrol this node does not answer");
    }
    await wait(RETRY_MS, undefined, { signal }).catch(() => {});
    signal.throwIfAborted();
  }
}

class EnrolmentRefused extends Error {
  constructor(nodeId: string, status: number) {
    super(
      status === 409
        ? `The server has given a key for node ${nodeId} before, and this home has lost it. Revoke it (genai-cli nodes revoke) and start again.`
        : `The server did not take the enrolment token (status ${status}): it is spent, expired or revoked, or made for another node.`,
    );
    this.name = "EnrolmentRefused";
  }
}
