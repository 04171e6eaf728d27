import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { until } from "@genai/testing";
import { Engine, machinesEngine } from "./docker.ts";

const run = promisify(execFile);
const startMs = 60_000;

/** A second Docker engine beside the machine's, to be stopped and started without hurting anybody. It needs root and dockerd; nothing of it
 *  is left behind. */
export class OwnEngine extends Engine implements AsyncDisposable {
  /** A bridge of its own: an engine that is to have none removes docker0, which is the other engine's. */
  readonly #bridge = `genai${randomInt(1e9)}`;
  readonly #folder: string;
  #dockerd: ChildProcess | null = null;

  static async start(): Promise<OwnEngine> {
    const engine = new OwnEngine(await mkdtemp(join(tmpdir(), "genai-engine-")));
    try {
      await run("ip", ["link", "add", engine.#bridge, "type", "bridge"]);
      await run("ip", ["address", "add", `10.213.${randomInt(256)}.1/24`, "dev", engine.#bridge]);
      await run("ip", ["link", "set", engine.#bridge, "up"]);
      await engine.start();
      return engine;
    } catch (error) {
      await engine[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(folder: string) {
    super(`unix://${join(folder, "docker.sock")}`, "bridge");
    this.#folder = folder;
  }

  /** Takes an image over from the machine's engine. */
  async take(image: string): Promise<void> {
    const file = join(this.#folder, "image.tar");
    await machinesEngine.docker("save", "-o", file, image);
    await this.docker("load", "-i", file);
    await rm(file);
  }

  async start(): Promise<void> {
    const at = (name: string) => join(this.#folder, name);
    const folders = ["--data-root", at("data"), "--exec-root", at("exec"), "--pidfile", at("pid")];
    // Its rules would meet those of the machine's engine; its containers need to reach this machine alone, which takes none.
    const quiet = [`--bridge=${this.#bridge}`, "--iptables=false", "--ip-forward=false", "--log-level=error"];
    const dockerd = spawn("dockerd", ["-H", this.host ?? "", ...folders, ...quiet], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#dockerd = dockerd;
    let complaints = "";
    dockerd.stderr?.setEncoding("utf8").on("data", (text: string) => {
      complaints = (complaints + text).slice(-4_000);
    });
    await until(
      "the engine answers",
      async () => {
        if (dockerd.exitCode !== null) throw new Error(`dockerd ended: ${complaints}`);
        return this.docker("version").then(
          () => true,
          () => false,
        );
      },
      startMs,
    );
  }

  /** Ends it as a service manager does; its containers are told to end too. */
  async stop(): Promise<void> {
    const dockerd = this.#dockerd;
    if (dockerd === null || dockerd.exitCode !== null) return;
    const ended = once(dockerd, "exit");
    dockerd.kill("SIGTERM");
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await run("ip", ["link", "delete", this.#bridge]);
    // What a container that was killed hard leaves mounted would keep the folder from being removed.
    const { stdout } = await run("findmnt", ["-rno", "TARGET"]);
    const mounts = stdout.split("\n").filter((mount) => mount.startsWith(this.#folder));
    for (const mount of mounts.reverse()) await run("umount", ["-l", mount]);
    await rm(this.#folder, { recursive: true, force: true });
  }
}
