import type { ContainerCreateOptions, ImageInspectInfo } from "dockerode";
import type { NodeSpec, Resources } from "../../core/node-spec.ts";
import { labelsOf, OWN_IMAGE_LABEL } from "./container-labels.ts";

/** What the engine's machine has. */
export interface EngineSize {
  readonly memoryBytes: number;
  readonly cpus: number;
}

/** User of a container of our own image where the image names none; no account on any system. */
const FALLBACK_USER = "10001:10001";

/** Our own image needs few processes; other people's run whole supervisors and thread pools. */
const PIDS_MAX = { own: 512, foreign: 4096 } as const;

export function isOwnImage(image: ImageInspectInfo): boolean {
  return OWN_IMAGE_LABEL in (image.Config.Labels ?? {});
}

/** Limits that a node gets: as asked; else our own image at most 4 GiB, other people's what the machine has. */
export function resourcesOf(spec: NodeSpec, own: boolean, engine: EngineSize): Resources {
  const { memoryBytes, cpus, gpus, pidsMax: pids } = spec.resources;
  return {
    memoryBytes: memoryBytes ?? (own ? Math.min(4 * 1024 ** 3, engine.memoryBytes) : engine.memoryBytes),
    cpus: cpus ?? engine.cpus,
    gpus,
    pidsMax: pids ?? (own ? PIDS_MAX.own : PIDS_MAX.foreign),
    diskBytes: null,
  };
}

/** How a node's container is made. Always: no new privileges, limits on processes, memory, CPU and logs. Our own image beside that:
 *  no capability, a root file system that can't be written, no root user. */
export function containerOptions(
  spec: NodeSpec,
  name: string,
  image: ImageInspectInfo,
  resources: Resources,
  settings: { readonly clusterId: string; readonly network: string; readonly stopGraceMs: number },
): ContainerCreateOptions {
  const own = isOwnImage(image);
  const env = { ...spec.env, BACKEND_SERVER: spec.backend, PROVISIONING_SCRIPT: spec.provScript };
  const token = spec.nodeToken === null ? {} : { NODE_TOKEN: spec.nodeToken };
  return {
    name,
    Image: spec.image,
    ...(spec.args.length > 0 && { Cmd: spec.args }),
    Env: Object.entries({ ...env, ...token }).map(([key, value]) => `${key}=${value}`),
    Labels: labelsOf(spec, settings.clusterId),
    StopTimeout: Math.ceil(settings.stopGraceMs / 1000),
    ...(own && isRoot(image.Config.User) && { User: FALLBACK_USER }),
    HostConfig: {
      NetworkMode: spec.network ?? settings.network,
      SecurityOpt: ["no-new-privileges"],
      PidsLimit: resources.pidsMax ?? PIDS_MAX.own,
      Memory: resources.memoryBytes ?? 0,
      NanoCpus: Math.round((resources.cpus ?? 1) * 1e9),
      LogConfig: { Type: "json-file", Config: { "max-size": "10m", "max-file": "3" } },
      // A node that ended is told as failed, not started over behind everybody's back.
      RestartPolicy: { Name: "no" },
      ...(spec.resources.gpus !== 0 && {
        DeviceRequests: [{ Driver: "", Count: spec.resources.gpus, Capabilities: [["gpu"]] }],
      }),
      ...(own && {
        // As process 1 a program that has no handler yet is deaf to SIGTERM, and would keep its deletion waiting for the whole grace.
        Init: true,
        CapDrop: ["ALL"],
        ReadonlyRootfs: true,
        Tmpfs: { "/tmp": "rw,nosuid,nodev,noexec,size=1g,mode=1777" },
      }),
    },
  };
}

function isRoot(user: string | undefined): boolean {
  const name = user?.split(":")[0] ?? "";
  return name === "" || name === "root" || name === "0";
}
