import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type CreateNodeRequest,
  createScalerClient,
  type NodeInfo__Output,
  type ScalerClient,
} from "@genai/protocol/scaler";
import { freePort, Program, until } from "@genai/testing";
import { ChannelCredentials, Metadata, type requestCallback } from "@grpc/grpc-js";
import { type Engine, machinesEngine } from "./docker.ts";
import { type LocalImages, localImages } from "./local-images.ts";
import { TaskCaller } from "./task-caller.ts";

export interface WholeSystemOptions {
  readonly serverEnv?: Readonly<Record<string, string>>;
  readonly scalerEnv?: Readonly<Record<string, string>>;
  /** The engine that its nodes are on; default the machine's. */
  readonly engine?: Engine;
}

interface Place {
  readonly images: LocalImages;
  readonly gateway: string;
  readonly home: string;
  readonly port: string;
  readonly scalerPort: string;
}

const callMs = 120_000;
/** A scaler that is just coming up is waited for. */
const patient = new Metadata({ waitForReady: true });

/** A server and a scaler in processes of their own, and nodes that the scaler makes in containers. It is driven by its public
 *  interfaces and by docker's client, and takes everything away at its end. */
export class WholeSystem implements AsyncDisposable {
  readonly clusterId = `e2e${randomUUID().slice(0, 8)}`;
  readonly nodeToken = randomUUID();
  readonly images: LocalImages;
  readonly tasks: TaskCaller;
  /** Where the scaler listens. */
  readonly scalerAddress: string;
  readonly #options: WholeSystemOptions;
  readonly #gateway: string;
  readonly #home: string;
  readonly #port: string;
  readonly #client: ScalerClient;
  #server: Program;
  #scaler: Program;

  static async start(options: WholeSystemOptions = {}): Promise<WholeSystem> {
    const place = {
      images: await localImages(),
      gateway: await (options.engine ?? machinesEngine).gateway(),
      home: await mkdtemp(join(tmpdir(), "genai-e2e-")),
      port: String(await freePort()),
      scalerPort: String(await freePort()),
    };
    return new WholeSystem(options, place).#ready();
  }

  private constructor(options: WholeSystemOptions, { images, gateway, home, port, scalerPort }: Place) {
    this.#options = options;
    this.images = images;
    this.#gateway = gateway;
    this.#home = home;
    this.#port = port;
    this.scalerAddress = `127.0.0.1:${scalerPort}`;
    this.tasks = new TaskCaller(this.url);
    this.#client = createScalerClient(this.scalerAddress, ChannelCredentials.createInsecure());
    this.#server = this.#newServer();
    this.#scaler = this.#newScaler();
  }

  /** The server, seen from this machine. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** The server, seen from a container. */
  get backend(): string {
    return `ws://${this.#gateway}:${this.#port}`;
  }

  get #engine(): Engine {
    return this.#options.engine ?? machinesEngine;
  }

  get server(): Program {
    return this.#server;
  }

  get scaler(): Program {
    return this.#scaler;
  }

  /** Another server on the same folder and port, after this one was killed or stopped. */
  async startServer(): Promise<void> {
    this.#server = this.#newServer();
    await says(this.#server, '"msg":"listening"');
  }

  async startScaler(): Promise<void> {
    this.#scaler = this.#newScaler();
    await says(this.#scaler, '"msg":"The scaler listens"');
  }

  /** Has the scaler make a node of our image; returns the container's id. `name` is the id that it has for the server. */
  async createNode(name: string, flags: readonly string[] = [], more: CreateNodeRequest = {}): Promise<string> {
    const args = ["--type", "test", "--node-id", name, ...flags];
    return this.create({ platform: "local", backend: this.backend, args, ...more });
  }

  /** Several nodes at once, ready for work. */
  async createNodes(names: readonly string[], flags: readonly string[] = []): Promise<ReadonlyMap<string, string>> {
    const ids = await Promise.all(names.map(async (name) => [name, await this.createNode(name, flags)] as const));
    await this.tasks.online(names);
    return new Map(ids);
  }

  async create(request: CreateNodeRequest): Promise<string> {
    const { nodeId } = await this.#call<{ nodeId: string }>((done) =>
      this.#client.createNode(request, patient, deadline(), done),
    );
    return nodeId;
  }

  async deleteNode(nodeId: string): Promise<void> {
    await this.#call((done) => this.#client.deleteNode({ nodeId }, patient, deadline(), done));
  }

  async listNodes(): Promise<readonly NodeInfo__Output[]> {
    const { nodes } = await this.#call<{ nodes: NodeInfo__Output[] }>((done) =>
      this.#client.listNodes({}, patient, deadline(), done),
    );
    return nodes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    await this.#scaler.end("SIGKILL");
    await this.#engine.removeCluster(this.clusterId);
    await this.#server.end("SIGKILL");
    await rm(this.#home, { recursive: true, force: true });
  }

  async #ready(): Promise<this> {
    try {
      await says(this.#server, '"msg":"listening"');
      await says(this.#scaler, '"msg":"The scaler listens"');
      return this;
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
  }

  #newServer(): Program {
    return new Program("server", {
      env: {
        HOST: "0.0.0.0",
        HTTP_PORT: this.#port,
        GENAI_HOME: this.#home,
        NODE_TOKEN: this.nodeToken,
        ENFORCE_JWT_AUTH: "false",
        RATE_LIMIT: "off",
        ...this.#options.serverEnv,
      },
    });
  }

  #newScaler(): Program {
    return new Program("scaler", {
      env: {
        GRPC_SERVER_ADDR: this.scalerAddress,
        CLUSTER_ID: this.clusterId,
        DEFAULT_DOCKER_IMAGE: this.images.node,
        NODE_TOKEN: this.nodeToken,
        LOCAL_NETWORK: this.#engine.network,
        ...(this.#engine.host !== null && { DOCKER_HOST: this.#engine.host }),
        ...this.#options.scalerEnv,
      },
    });
  }

  #call<A>(call: (done: requestCallback<A>) => unknown): Promise<A> {
    return new Promise((resolve, reject) => {
      call((error, answer) => {
        if (error) reject(error);
        else if (answer === undefined) reject(new Error("The scaler gave no answer."));
        else resolve(answer);
      });
    });
  }
}

/** Waits until a program has printed `words`. Throws with all that it printed when it ends instead. */
async function says(program: Program, words: string): Promise<void> {
  await until(`a program says ${words}`, () => {
    if (program.hasEnded) throw new Error(`It ended instead of saying ${words}:\n${program.output}`);
    return program.output.includes(words);
  });
}

function deadline(): { deadline: number } {
  return { deadline: Date.now() + callMs };
}
