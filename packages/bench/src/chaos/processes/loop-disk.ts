import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A disk in a file, with ext4 on it, mounted. What was not synced when the file is copied is not in the copy: a power cut. */
export class LoopDisk implements Disposable {
  readonly #image: string;
  readonly path: string;

  private constructor(image: string, path: string) {
    this.#image = image;
    this.path = path;
    mkdirSync(path, { recursive: true });
    execFileSync("mount", ["-o", "loop", image, path], { stdio: "pipe" });
  }

  /** An empty one in `folder`. */
  static make(folder: string, name: string, megabytes: number): LoopDisk {
    const image = join(folder, `${name}.img`);
    writeFileSync(image, "");
    truncateSync(image, megabytes * 1024 * 1024);
    execFileSync("mkfs.ext4", ["-q", "-F", image], { stdio: "pipe" });
    return new LoopDisk(image, join(folder, name));
  }

  /** The disk as it would be found after a power cut at this moment, mounted beside this one. */
  afterPowerCut(): LoopDisk {
    const image = `${this.#image}.cut`;
    execFileSync("cp", ["--sparse=always", this.#image, image], { stdio: "pipe" });
    return new LoopDisk(image, `${this.path}-cut`);
  }

  [Symbol.dispose](): void {
    execFileSync("umount", [this.path], { stdio: "pipe" });
    rmSync(this.#image);
  }
}

/** Null where this machine and user may mount a disk in a file, else why not, in a sentence. */
export function whyNoLoopDisks(): string | null {
  const folder = mkdtempSync(join(tmpdir(), "genai-loop-"));
  try {
    using disk = LoopDisk.make(folder, "trial", 16);
    return disk.path === "" ? "there is no mount point" : null;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n").filter((line) => line !== "")[0] : String(error);
    return `This machine mounts no disks in files (${reason}).`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
