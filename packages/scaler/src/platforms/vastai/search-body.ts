import type { NodeSpec, OfferFilter } from "../../core/node-spec.ts";

/** The body of vast.ai's search. The GPU's name is matched on the answer instead: its documents show two spellings. */
export function searchBody(filter: OfferFilter, spec: NodeSpec | null, limit: number): Record<string, unknown> {
  const gpusMin = Math.max(filter.gpusMin ?? 1, spec?.resources.gpus ?? 1);
  return {
    type: "ondemand",
    rentable: { eq: true },
    rented: { eq: false },
    verified: { eq: true },
    order: [["dph_total", "asc"]],
    limit,
    num_gpus: { gte: gpusMin },
    ...(spec?.resources.diskBytes && { allocated_storage: Math.ceil(spec.resources.diskBytes / 1e9) }),
    ...(filter.vramBytesMin !== null && { gpu_ram: { gte: Math.ceil(filter.vramBytesMin / 1024 ** 2) } }),
    ...(filter.pricePerHourMax !== null && { dph_total: { lte: filter.pricePerHourMax } }),
    ...(filter.reliabilityMin !== null && { reliability: { gte: filter.reliabilityMin } }),
    ...(spec?.offerId != null && { id: { eq: Number(spec.offerId) } }),
  };
}
