import Docker, {
  type ContainerCreateOptions,
  type ContainerInspectInfo,
  type DockerOptions,
  type ImageInspectInfo,
} from "dockerode";
import type { CreateContext, LogChunk, LogOptions } from "../../core/platform.ts";
import { splitLog } from "./container-logs.ts";
import type { EngineSize } from "./container-options.ts";
import { dockerError, dockerStatus } from "./docker-errors.ts";
import { pullImage } from "./image-pull.ts";

/** Longest silence in one answer of the engine, pulls, stops and followed logs aside. A busy disk holds a creation up for many seconds. */
const ANSWER_MS = 60_000;

/** The few calls of a Docker engine that nodes need: each with a time limit, each throwing ScalerError, each fit to be called twice. */
export class DockerEngine {
  readonly #docker: Docker;
  /** For the calls that are long by nature; each has its own end. */
  readonly #patient: Docker;
  #size: EngineSize | null = null;

  /** `connection` as dockerode takes it; what it leaves out comes from DOCKER_HOST and its kin. */
  constructor(connection: DockerOptions) {
    this.#docker = new Docker({ ...connection, timeout: ANSWER_MS });
    this.#patient = new Docker(connection);
  }

  /** Ids of all containers with a label, ended ones too. */
  async containerIds(label: string): Promise<readonly string[]> {
    try {
      const containers = await this.#docker.listContainers({ all: true, filters: { label: [label] } });
      return containers.map((container) => container.Id);
    } catch (error) {
      throw dockerError(error, "Listing the containers");
    }
  }

  /** null when there is no such container. */
  container(nameOrId: string): Promise<ContainerInspectInfo | null> {
    return orNull(this.#docker.getContainer(nameOrId).inspect(), "Looking at the container");
  }

  /** null when the engine has no such image. */
  image(name: string): Promise<ImageInspectInfo | null> {
    return orNull(this.#docker.getImage(name).inspect(), "Looking for the image");
  }

  async hasNetwork(name: string): Promise<boolean> {
    return (await orNull(this.#docker.getNetwork(name).inspect(), "Looking for the network")) !== null;
  }

  async size(): Promise<EngineSize> {
    if (this.#size) return this.#size;
    try {
      const info: { MemTotal: number; NCPU: number } = await this.#docker.info();
      this.#size = { memoryBytes: info.MemTotal, cpus: info.NCPU };
      return this.#size;
    } catch (error) {
      throw dockerError(error, "Asking the engine for its size");
    }
  }

  pull(image: string, context: CreateContext): Promise<void> {
    return pullImage(this.#patient, image, context);
  }

  /** Returns the container's id, or null when its name is taken. */
  async create(options: ContainerCreateOptions): Promise<string | null> {
    try {
      return (await this.#docker.createContainer(options)).id;
    } catch (error) {
      if (dockerStatus(error) === 409) return null;
      throw dockerError(error, "Creating the container");
    }
  }

  /** A container that runs already is fine. */
  start(containerId: string): Promise<void> {
    return settled(this.#docker.getContainer(containerId).start(), [304], "Starting the container");
  }

  /** A container that is not paused any more is fine. */
  unpause(containerId: string): Promise<void> {
    return settled(this.#docker.getContainer(containerId).unpause(), [404, 409, 500], "Waking the container");
  }

  /** Tells it to end, and ends it after `graceMs`. One that has ended or is gone is fine. */
  stop(containerId: string, graceMs: number): Promise<void> {
    const stopped = this.#patient.getContainer(containerId).stop({
      t: Math.ceil(graceMs / 1000),
      abortSignal: AbortSignal.timeout(graceMs + ANSWER_MS),
    });
    return settled(stopped, [304, 404], "Stopping the container");
  }

  async rename(containerId: string, name: string): Promise<void> {
    try {
      await this.#docker.getContainer(containerId).rename({ name });
    } catch (error) {
      throw dockerError(error, "Renaming the container");
    }
  }

  /** Kills and removes it with its anonymous volumes. One that is gone, or going, is fine. */
  destroy(containerId: string): Promise<void> {
    return settled(
      this.#docker.getContainer(containerId).remove({ force: true, v: true }),
      [404, 409],
      "Removing the container",
    );
  }

  /** What a container printed, ended when `signal` is aborted. */
  async *logs(containerId: string, { tail, follow, signal }: LogOptions): AsyncIterable<LogChunk> {
    const container = this.#patient.getContainer(containerId);
    const options = { stdout: true, stderr: true, tail, abortSignal: signal };
    try {
      if (follow) yield* splitLog(await asIterable(container.logs({ ...options, follow: true })));
      else yield* splitLog([await container.logs({ ...options, follow: false })]);
    } catch (error) {
      if (!signal.aborted) throw dockerError(error, "Reading the logs");
    }
  }
}

async function asIterable(stream: Promise<NodeJS.ReadableStream>): Promise<AsyncIterable<Buffer>> {
  return (await stream) as unknown as AsyncIterable<Buffer>;
}

/** Waits for a call and takes refusals with these statuses as done. */
async function settled(call: Promise<unknown>, fine: readonly number[], what: string): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!fine.includes(dockerStatus(error) ?? 0)) throw dockerError(error, what);
  }
}

async function orNull<T>(call: Promise<T>, what: string): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (dockerStatus(error) === 404) return null;
    throw dockerError(error, what);
  }
}
