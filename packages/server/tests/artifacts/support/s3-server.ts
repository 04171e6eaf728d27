import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import S3rver from "s3rver";
import { S3ArtifactStore, type S3ArtifactStoreOptions } from "../../../src/artifacts/s3-artifact-store.ts";

/** What s3rver takes as credentials. The SDK reads them from the environment, as it does in production. */
export const S3_CREDENTIALS = { AWS_ACCESS_KEY_ID: "S3RVER", AWS_SECRET_ACCESS_KEY: "S3RVER" } as const;

/** A small S3 server on a free port with a bucket of its own. It checks neither signatures nor checksums. */
export class S3Server implements AsyncDisposable {
  readonly endpoint: string;
  readonly #server: S3rver;
  readonly #folder: string;

  static async start(): Promise<S3Server> {
    Object.assign(process.env, S3_CREDENTIALS);
    const folder = await mkdtemp(join(tmpdir(), "genai-s3-"));
    const server = new S3rver({
      address: "127.0.0.1",
      port: 0,
      silent: true,
      directory: folder,
      configureBuckets: [{ name: "pictures", configs: [] }],
    });
    const { port } = await server.run();
    return new S3Server(server, folder, port);
  }

  private constructor(server: S3rver, folder: string, port: number) {
    this.#server = server;
    this.#folder = folder;
    this.endpoint = `http://127.0.0.1:${port}`;
  }

  options(more: Partial<S3ArtifactStoreOptions> = {}): S3ArtifactStoreOptions {
    const { endpoint } = this;
    return { bucket: "pictures", prefix: "", region: "us-east-1", endpoint, pathStyle: true, presign: true, ...more };
  }

  open(more: Partial<S3ArtifactStoreOptions> = {}): Promise<S3ArtifactStore> {
    return S3ArtifactStore.open(this.options(more));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
