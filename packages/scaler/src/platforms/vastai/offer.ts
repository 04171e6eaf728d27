import type { Offer } from "../../core/platform.ts";
import type { VastaiOffer } from "./vastai-schemas.ts";

/** An offer of vast.ai in our words. Its measured price is `dph_total`, which holds storage and all. */
export function toOffer(offer: VastaiOffer): Offer {
  return {
    offerId: String(offer.id),
    platform: "vastai",
    gpu: offer.gpu_name ?? "",
    gpus: offer.num_gpus ?? 0,
    vramBytes: (offer.gpu_ram ?? 0) * 1024 ** 2,
    pricePerHour: offer.dph_total,
    reliability: offer.reliability ?? offer.reliability2 ?? 0,
    location: offer.geolocation ?? "",
    machineId: String(offer.machine_id ?? ""),
  };
}
