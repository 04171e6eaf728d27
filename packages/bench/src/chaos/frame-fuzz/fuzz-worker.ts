import { parentPort, workerData } from "node:worker_threads";
import { fuzzFrames } from "@genai/protocol/conformance";

/** The attackers have a thread of their own, so that their work does not delay whoever measures. */
parentPort?.postMessage(
  await fuzzFrames(workerData as { readonly port: number; readonly frames: number; readonly seed: number }),
);
