import { z } from "zod";

/** What we read of vast.ai's answers. Its documents and its programs differ in places; these take both forms and ignore the rest. */

const number = z.coerce.number();

export const VastaiOffer = z.object({
  id: number,
  machine_id: number.nullish(),
  gpu_name: z.string().nullish(),
  num_gpus: number.nullish(),
  /** MB of one GPU. */
  gpu_ram: number.nullish(),
  /** US dollars per hour, all in. */
  dph_total: number,
  reliability: number.nullish(),
  reliability2: number.nullish(),
  geolocation: z.string().nullish(),
  rentable: z.boolean().nullish(),
});
export type VastaiOffer = z.infer<typeof VastaiOffer>;

/** The documents show `offers` as an object, the programs read a list. */
export const VastaiOffers = z.object({
  offers: z.union([
    z.array(z.unknown()),
    z.record(z.string(), z.unknown()).transform((one) => ("id" in one ? [one] : Object.values(one))),
  ]),
});

export const VastaiInstance = z.object({
  id: number,
  label: z.string().nullish(),
  /** running, loading, created, exited, offline, unknown or nothing; no closed list is documented. */
  actual_status: z.string().nullish(),
  intended_status: z.string().nullish(),
  status_msg: z.string().nullish(),
  machine_id: number.nullish(),
  gpu_name: z.string().nullish(),
  num_gpus: number.nullish(),
  dph_total: number.nullish(),
  /** Seconds since 1970. */
  start_date: number.nullish(),
  image_uuid: z.string().nullish(),
  /** An object, or pairs. */
  extra_env: z.unknown(),
});
export type VastaiInstance = z.infer<typeof VastaiInstance>;

export const VastaiInstancePage = z.object({
  instances: z.array(VastaiInstance),
  next_token: z.string().nullish(),
});

export const VastaiContract = z.object({ new_contract: number });

export const VastaiRefusal = z.object({ error: z.string().nullish(), msg: z.string().nullish() });
