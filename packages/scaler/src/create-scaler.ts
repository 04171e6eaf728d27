import type { ScalerConfig } from "./config.ts";
import type { Caps } from "./core/capacity.ts";
import { ImagePolicy } from "./core/image-policy.ts";
import type { Platform } from "./core/platform.ts";
import { Scaler } from "./core/scaler.ts";
import { DockerEngine } from "./platforms/local/docker-engine.ts";
import { LocalPlatform } from "./platforms/local/local-platform.ts";
import { VastaiClient } from "./platforms/vastai/vastai-client.ts";
import { VastaiPlatform } from "./platforms/vastai/vastai-platform.ts";

const WATCH_INTERVAL_MS = 1_000;
const VASTAI_POLL_MS = 5_000;
const VASTAI_BACKOFF_MS = 2_000;

/** A scaler over the platforms that the configuration names: Docker always, vast.ai where there is a key. */
export function createScaler(config: ScalerConfig): Scaler {
  return new Scaler({
    clusterId: config.CLUSTER_ID,
    platforms: platformsOf(config),
    imagePolicy: new ImagePolicy(config.imageAllow),
    caps: { nodesMax: config.MAX_NODES, pricePerHourMax: config.MAX_PRICE_PER_HOUR },
    platformCaps: platformCapsOf(config),
    createMs: config.CREATE_TIMEOUT,
    watchIntervalMs: WATCH_INTERVAL_MS,
  });
}

function platformsOf(config: ScalerConfig): readonly Platform[] {
  const common = {
    clusterId: config.CLUSTER_ID,
    stopGraceMs: config.STOP_GRACE,
    keepStoppedMs: config.KEEP_STOPPED,
    now: () => Date.now(),
  };
  const local = new LocalPlatform({ ...common, engine: new DockerEngine({}), network: config.LOCAL_NETWORK });
  if (config.VASTAI_API_KEY === undefined) return [local];
  const client = new VastaiClient({
    baseUrl: config.VASTAI_URL,
    apiKey: config.VASTAI_API_KEY,
    backoffMs: VASTAI_BACKOFF_MS,
  });
  return [
    local,
    new VastaiPlatform({ ...common, client, pollMs: VASTAI_POLL_MS, startMs: config.VASTAI_START_TIMEOUT }),
  ];
}

function platformCapsOf(config: ScalerConfig): ReadonlyMap<string, Caps> {
  const { POSITIVE_INFINITY } = Number;
  return new Map([
    ["local", { nodesMax: config.LOCAL_MAX_NODES ?? POSITIVE_INFINITY, pricePerHourMax: POSITIVE_INFINITY }],
    [
      "vastai",
      {
        nodesMax: config.VASTAI_MAX_NODES ?? POSITIVE_INFINITY,
        pricePerHourMax: config.VASTAI_MAX_PRICE_PER_HOUR ?? POSITIVE_INFINITY,
      },
    ],
  ]);
}
