import { type NodeSpec, parseNodeSpec } from "../../src/core/node-spec.ts";

/** A valid node to be made, with whatever a test wants to be different. */
export function nodeSpec(different: Partial<NodeSpec> = {}): NodeSpec {
  return parseNodeSpec({
    platform: "local",
    backend: "ws://127.0.0.1:8080",
    image: "genai-test/node",
    provScript: "",
    offerId: null,
    env: {},
    labels: {},
    nodeToken: null,
    idempotencyKey: "",
    resources: { memoryBytes: null, cpus: null, gpus: 0, pidsMax: null, diskBytes: null },
    filter: { gpuType: null, vramBytesMin: null, pricePerHourMax: null, reliabilityMin: null, gpusMin: null },
    args: [],
    network: null,
    ...different,
  });
}
