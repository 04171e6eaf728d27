import type Docker from "dockerode";
import { abortError } from "../../core/abort-error.ts";
import type { CreateContext } from "../../core/platform.ts";
import { ScalerError } from "../../core/scaler-error.ts";
import { dockerError, dockerStatus, reasonOf } from "./docker-errors.ts";

interface PullEvent {
  readonly id?: string;
  readonly status?: string;
  readonly error?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

/** Least pause between two progress reports: an engine tells of each layer many times a second. */
const REPORT_EVERY_MS = 250;

/** Fetches an image and tells how far it is, by the bytes of the layers known so far. Throws `not_found` when no registry has it, and
 *  `platform_away` when the registry can't be reached. */
export async function pullImage(docker: Docker, image: string, context: CreateContext): Promise<void> {
  const layers = new Map<string, { current: number; total: number }>();
  let reportedAtMs = 0;
  const onEvent = (event: PullEvent) => {
    const { current, total } = event.progressDetail ?? {};
    if (event.id && total) layers.set(event.id, { current: current ?? 0, total });
    else if (event.id && event.status === "Pull complete") finishLayer(layers, event.id);
    const nowMs = performance.now();
    if (nowMs - reportedAtMs < REPORT_EVERY_MS) return;
    reportedAtMs = nowMs;
    context.onProgress({ stage: "pulling", progress: shareOf(layers), message: `Pulling ${image}` });
  };
  try {
    const reference = /[:@][^/]*$/.test(image) ? image : `${image}:latest`;
    const stream = await docker.pull(reference, { abortSignal: context.signal });
    await new Promise<void>((resolve, reject) => {
      docker.modem.followProgress(stream, (error) => (error ? reject(error) : resolve()), onEvent);
    });
  } catch (error) {
    if (context.signal.aborted) throw abortError(context.signal, `Pulling ${image}`);
    throw pullError(error, image);
  }
}

function finishLayer(layers: Map<string, { current: number; total: number }>, id: string): void {
  const layer = layers.get(id);
  if (layer) layer.current = layer.total;
}

function shareOf(layers: ReadonlyMap<string, { current: number; total: number }>): number | null {
  const sum = [...layers.values()].reduce(
    (all, layer) => ({ current: all.current + layer.current, total: all.total + layer.total }),
    { current: 0, total: 0 },
  );
  return sum.total === 0 ? null : Math.min(1, sum.current / sum.total);
}

function pullError(error: unknown, image: string): ScalerError {
  const reason = reasonOf(error);
  if (dockerStatus(error) === null && /ECONN|ENOENT|EACCES|EPIPE/.test(reason))
    return dockerError(error, `Pulling ${image}`);
  if (/no space left/i.test(reason)) return dockerError(error, `Pulling ${image}`);
  if (/not found|manifest unknown|denied|does not exist|no matching manifest/i.test(reason)) {
    return new ScalerError("not_found", `Image ${image} is not here, and no registry gives it: ${reason}.`, {
      cause: error,
    });
  }
  return new ScalerError("platform_away", `Image ${image} is not here, and its registry can't be reached: ${reason}.`, {
    cause: error,
  });
}
