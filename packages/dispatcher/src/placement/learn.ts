import type { Estimates } from "../estimates.ts";
import type { AttemptRecord } from "../state/attempt-record.ts";
import type { ProviderRecord } from "../state/provider-record.ts";
import { SPEED_STEP } from "./fleet.ts";

/** How much the newest measurement counts for a provider's own slowness. */
const SLOWNESS_SHARE = 0.2;
/** How far from the mean a measurement counts in full, in buckets; what lies beyond counts as if it were there, as in Huber's estimate of a
 *  location. One task during which the machine stood still says little: it takes three in a row to be taken for slowness. */
const SURPRISE_BUCKETS_MAX = 1.5;
/** How far the mean must be from the middle of its bucket, in buckets, before the bucket changes: more than half, so that it does not flutter. */
const BUCKET_HYSTERESIS = 0.75;
/** Time without a measurement after which half of a provider's own slowness is forgotten: while its equals are idle, whoever looked slow
 *  gets nothing that could show otherwise. What was seen counts less the older it is, as in the discounted bandits of Garivier and
 *  Moulines (arXiv 0805.3415). One that is twice as slow for good costs the fleet a slow task in about half an hour. */
export const SLOWNESS_HALVES_MS = 600_000;

/** Farthest bucket: 1.2 to the 13th is over ten times slower or faster. */
const BUCKET_MAX = 13;

/** Greatest error that is believed: a thousand times slower or faster. */
const ERROR_MAX = 1_000;
/** Of a cold run at least this share counts as running, however long the loading seems. */
const RUN_SHARE_MIN = 0.1;

/** What moved by a measurement. */
interface Learned {
  readonly bucketMoved: boolean;
  readonly estimatesMoved: boolean;
}

const NOTHING: Learned = { bucketMoved: false, estimatesMoved: false };

/** Learns from a measured attempt. */
export function learnFrom(estimates: Estimates, attempt: AttemptRecord, gpuMs: number, loadMs: number | null): Learned {
  const { task, provider, cold } = attempt;
  const { kind } = provider;
  if (kind === null || !(gpuMs > 0)) return NOTHING;
  const { profile, units } = task;
  const known = estimates.knows(profile, kind.speed);
  const expectedMs = units * estimates.unitMs(profile, kind.speed);
  const slowness = known ? kind.slowness : 1;
  const assumedLoadMs = known
    ? Math.max(0, gpuMs - expectedMs * slowness)
    : estimates.loadMs(profile.model, kind.speed);
  const loadedMs = loadMs ?? (cold ? assumedLoadMs : 0);
  let estimatesMoved = false;
  if (cold && profile.model !== "" && (loadMs !== null || known)) {
    estimatesMoved = estimates.learnLoad(profile.model, kind.speed, loadedMs);
  }
  // Without a measured loading time a cold run says nothing of the running once that is known.
  if (cold && loadMs === null && known) return { bucketMoved: false, estimatesMoved };
  const runMs = Math.max(gpuMs - loadedMs, gpuMs * RUN_SHARE_MIN);
  estimatesMoved = estimates.learnRun(profile, kind.speed, runMs / units / slowness) || estimatesMoved;
  if (!known) return { bucketMoved: false, estimatesMoved };
  const error = Math.log(Math.min(ERROR_MAX, Math.max(1 / ERROR_MAX, runMs / expectedMs)));
  return { bucketMoved: moveBucket(provider, error - estimates.driftOf(kind.speed, error)), estimatesMoved };
}

/** Takes a provider's own error into account, as the logarithm of measured by expected; true where that moved it into another bucket. */
function moveBucket(provider: ProviderRecord, error: number): boolean {
  const surpriseMax = SURPRISE_BUCKETS_MAX * Math.log(SPEED_STEP);
  const surprise = Math.min(surpriseMax, Math.max(-surpriseMax, error - provider.slownessLog));
  provider.slownessLog += surprise * SLOWNESS_SHARE;
  return followBucket(provider);
}

/** Forgets half of a provider's own slowness; true where that moved it into another bucket. */
export function ageSlowness(provider: ProviderRecord): boolean {
  provider.slownessLog /= 2;
  return followBucket(provider);
}

/** Puts a provider into the bucket of its slowness where that has clearly left the last one. */
function followBucket(provider: ProviderRecord): boolean {
  const bucket = provider.slownessLog / Math.log(SPEED_STEP);
  if (Math.abs(bucket - provider.speedBucket) < BUCKET_HYSTERESIS) return false;
  const before = provider.speedBucket;
  provider.speedBucket = Math.min(BUCKET_MAX, Math.max(-BUCKET_MAX, Math.round(bucket)));
  return provider.speedBucket !== before;
}
