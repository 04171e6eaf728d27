import type { ContainerInspectInfo } from "dockerode";
import type { NodeState, PlatformNode } from "../../core/platform.ts";
import { CONTAINER_LABELS, userLabelsOf } from "./container-labels.ts";

/** Prefix of the name that a container gets when it is deleted. Renaming is how the deletion is remembered: labels can't change,
 *  and the node's own name is free again for its idempotency key. */
const DELETED_PREFIX = "genai-deleted-";

export function deletedName(containerId: string, nowMs: number): string {
  return `${DELETED_PREFIX}${nowMs}-${containerId.slice(0, 12)}`;
}

/** When a container was deleted, by its name; null when it was not. */
export function deletedAtMs(name: string): number | null {
  const match = /^\/?genai-deleted-(\d+)-/.exec(name);
  return match ? Number(match[1]) : null;
}

/** Has ended, or was never started and never will be. */
export function isOver(info: ContainerInspectInfo): boolean {
  return ["exited", "dead", "removing"].includes(info.State.Status);
}

/** A container of ours as a node; null for one that was deleted and has ended, or that the engine is removing. */
export function toNode(info: ContainerInspectInfo, lastLogLines: readonly string[]): PlatformNode | null {
  const deleted = deletedAtMs(info.Name) !== null;
  const over = isOver(info);
  if (info.State.Status === "removing" || (deleted && (over || info.State.Status === "created"))) return null;
  const labels = info.Config.Labels ?? {};
  const state = deleted ? "stopping" : over ? "failed" : stateOf(info);
  return {
    nodeId: info.Id.slice(0, 12),
    platform: "local",
    name: info.Name.replace(/^\//, ""),
    backend: labels[CONTAINER_LABELS.backend] ?? "",
    image: labels[CONTAINER_LABELS.image] ?? info.Config.Image,
    state,
    createdAtMs: Date.parse(info.Created),
    pricePerHour: 0,
    labels: userLabelsOf(labels),
    gpu: gpuOf(labels[CONTAINER_LABELS.gpus] ?? "0"),
    resources: {
      memoryBytes: info.HostConfig.Memory || null,
      cpus: info.HostConfig.NanoCpus ? info.HostConfig.NanoCpus / 1e9 : null,
      gpus: Number(labels[CONTAINER_LABELS.gpus] ?? 0),
      pidsMax: info.HostConfig.PidsLimit || null,
      diskBytes: null,
    },
    idempotencyKey: labels[CONTAINER_LABELS.key] ?? "",
    digest: labels[CONTAINER_LABELS.digest] ?? "",
    message: messageOf(info, state),
    exitCode: over ? info.State.ExitCode : null,
    lastLogLines: state === "failed" ? lastLogLines : [],
  };
}

function stateOf(info: ContainerInspectInfo): NodeState {
  return info.State.Running || info.State.Paused || info.State.Restarting ? "running" : "starting";
}

function gpuOf(gpus: string): string {
  return gpus === "0" ? "" : gpus === "-1" ? "all GPUs of the machine" : `${gpus} of the machine`;
}

function messageOf(info: ContainerInspectInfo, state: NodeState): string {
  switch (state) {
    case "starting":
      return "The container is made and not yet started.";
    case "running":
      return info.State.Paused ? "The container is paused." : "";
    case "stopping":
      return "It was told to leave and finishes what it runs.";
    case "failed":
      return info.State.OOMKilled
        ? "It was killed: out of memory."
        : `It ended by itself with exit code ${info.State.ExitCode}${info.State.Error ? `: ${info.State.Error}` : "."}`;
  }
}
