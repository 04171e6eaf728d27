import type { ClientLog } from "../clients/client-log.ts";
import type { ScriptedNodes } from "../nodes/scripted-nodes.ts";
import type { ServerProcess } from "./server-process.ts";
import { storeFindings } from "./store-check.ts";

/** Stops a server at the end of its trial, and writes down whether it had ended by itself, whether a node was sent what it must not be
 *  sent, and what `genai-server check` finds in its store. */
export async function endInOrder(
  server: ServerProcess,
  store: { readonly home: string; readonly databaseUrl: string | null },
  nodes: ScriptedNodes,
  log: ClientLog,
): Promise<void> {
  if (server.diedByItself) log.violation("The server ended by itself.");
  await server.stop();
  for (const violation of nodes.violations) log.violation(violation);
  for (const finding of await storeFindings(store.home, store.databaseUrl)) log.violation(`check: ${finding}`);
}
