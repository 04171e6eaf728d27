/** What one attempt may upload. */
export interface UploadLimits {
  /** Pictures of one attempt at a graph, which does not say how many it makes; and of any attempt of a legacy node, whose tasks can't
   *  say it. A standard task on a protocol-2 node is held to its own `count`. */
  readonly graphPicturesMax: number;
  /** Bytes of all pictures of one attempt together. */
  readonly bytesMax: number;
}

/** Why an upload is not taken.
 *  `closed`: the attempt is over. `busy`: its result is being looked at. `too_many`, `too_large`: more than the task asked for, or than an
 *  attempt may have. */
export type UploadRefusal = "closed" | "busy" | "too_many" | "too_large";

/** An upload was refused while its bytes came. */
export class UploadRefused extends Error {
  override readonly name = "UploadRefused";
  readonly refusal: UploadRefusal;

  constructor(refusal: UploadRefusal) {
    super(`The upload was refused: ${refusal}.`);
    this.refusal = refusal;
  }
}

/** How often a picture may be offered with other bytes: once, and again for each time that the server asks for it. */
const OFFERS_PER_PICTURE = 4;

/** What was uploaded for one attempt, and what may still be. While its result is checked no upload is accepted, so what was checked cannot change. */
export class AttemptUploads {
  /** Pictures are numbered below this. */
  readonly picturesMax: number;
  readonly bytesMax: number;
  /** Whose fault it is to bring more: a graph's, which makes what it makes, or a node's that was told a number. */
  readonly excessIsOf: "task" | "node";
  /** Bytes by key: of what is stored, or may be put at any time by who was told where. */
  readonly #stored = new Map<string, number>();
  readonly #underWay = new Set<Upload>();
  /** Looks at results that are under way. */
  #holds = 0;
  #closed = false;

  constructor(picturesMax: number, bytesMax: number, excessIsOf: "task" | "node" = "node") {
    this.picturesMax = picturesMax;
    this.bytesMax = bytesMax;
    this.excessIsOf = excessIsOf;
  }

  /** Why picture `n` would not be taken now, or null. */
  refusal(n: number): UploadRefusal | null {
    if (n >= this.picturesMax) return "too_many";
    if (this.#closed) return "closed";
    return this.#holds > 0 ? "busy" : null;
  }

  /** Begins the upload of a picture. Ask {@link refusal} first. `stop` is called if the upload has to end early. */
  begin(key: string, stop: (why: UploadRefused) => void): Upload {
    const upload = new Upload(this, key, stop);
    this.#underWay.add(upload);
    return upload;
  }

  /** Reserves a picture that its node will upload directly to the artifact store. Returns why that is refused, or null. */
  offer(key: string, bytes: number): UploadRefusal | null {
    if (!this.#stored.has(key) && this.#stored.size >= this.picturesMax * OFFERS_PER_PICTURE) return "too_many";
    if (this.#bytesBeside(key) + bytes > this.bytesMax) return "too_large";
    this.#stored.set(key, bytes);
    return null;
  }

  /** Stops uploads in progress and resolves once they have ended. No upload is accepted until {@link release}. */
  async hold(): Promise<void> {
    this.#holds += 1;
    const ends = [...this.#underWay].map((upload) => upload.ended);
    for (const upload of this.#underWay) upload.stop("busy");
    await Promise.all(ends);
  }

  release(): void {
    this.#holds -= 1;
  }

  /** Ends uploads for good, because the attempt is over. Resolves, once those in progress have ended, with the stored keys that are not in `kept`.
   *  Returns null where nothing was ever uploaded. */
  close(kept: readonly (string | null)[]): Promise<readonly string[]> | null {
    this.#closed = true;
    return this.#underWay.size === 0 && this.#stored.size === 0 ? null : this.#leave(kept);
  }

  async #leave(kept: readonly (string | null)[]): Promise<readonly string[]> {
    const ends = [...this.#underWay].map((upload) => upload.ended);
    for (const upload of this.#underWay) upload.stop("closed");
    await Promise.all(ends);
    return [...this.#stored.keys()].filter((key) => !kept.includes(key));
  }

  /** Whether so many bytes of an upload fit beside everything else. */
  fits(upload: Upload): boolean {
    let bytes = this.#bytesBeside(upload.key);
    for (const each of this.#underWay) bytes += each.bytes;
    return bytes <= this.bytesMax;
  }

  end(upload: Upload, isStored: boolean): void {
    this.#underWay.delete(upload);
    if (isStored) this.#stored.set(upload.key, upload.bytes);
  }

  #bytesBeside(key: string): number {
    let sum = 0;
    for (const [each, bytes] of this.#stored) if (each !== key) sum += bytes;
    return sum;
  }
}

/** One upload of one picture that is under way. */
export class Upload {
  readonly key: string;
  /** Resolves when nothing of it moves any more. */
  readonly ended: Promise<void>;
  readonly #of: AttemptUploads;
  readonly #stop: (why: UploadRefused) => void;
  #end: () => void = () => {};
  #bytes = 0;

  constructor(of: AttemptUploads, key: string, stop: (why: UploadRefused) => void) {
    this.#of = of;
    this.key = key;
    this.#stop = stop;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** More bytes came. False where they are too many. */
  grow(bytes: number): boolean {
    this.#bytes += bytes;
    return this.#of.fits(this);
  }

  stop(refusal: UploadRefusal): void {
    this.#stop(new UploadRefused(refusal));
  }

  /** Nothing of it moves any more. Call it once, in any case. */
  end(isStored: boolean): void {
    this.#of.end(this, isStored);
    this.#end();
  }
}
