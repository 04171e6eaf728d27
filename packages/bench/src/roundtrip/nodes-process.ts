import { connectLegacyNodes } from "../support/legacy-nodes.ts";
import { scriptReady } from "../support/script.ts";

// The nodes of a round trip, in a process of their own: neither the server's nor the callers' time is theirs.
const [port = "0", count = "10", resultBytes = "300"] = process.argv.slice(2);
await connectLegacyNodes(Number(port), Number(count), Number(resultBytes));
scriptReady();
