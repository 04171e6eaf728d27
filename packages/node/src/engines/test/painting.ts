import { createHash } from "node:crypto";

/** Numbers from 0 to 1 that only a text decides. */
function numbersOf(text: string): () => number {
  let block = createHash("sha256").update(text).digest();
  let at = 0;
  return () => {
    if (at + 4 > block.length) {
      block = createHash("sha256").update(block).digest();
      at = 0;
    }
    at += 4;
    return block.readUInt32BE(at - 4) / 2 ** 32;
  };
}

/** A generative picture: waves that bend each other, in a palette of their own. Everything about it follows from `subject`, so the same
 *  subject is the same picture at every size, and another is another. */
export class Painting {
  readonly #phase: readonly number[];
  readonly #frequency: readonly number[];
  readonly #palette: readonly (readonly [number, number, number])[];
  readonly #centre: readonly [number, number];
  readonly #bend: number;

  constructor(subject: string) {
    const number = numbersOf(subject);
    this.#phase = Array.from({ length: 8 }, () => number() * 2 * Math.PI);
    this.#frequency = Array.from({ length: 8 }, () => 1.5 + number() * 5);
    // Cosine palettes: offset, and phase for each channel, with the phases near each other so that colours belong together.
    const hue = number();
    const spread = 0.08 + number() * 0.3;
    this.#palette = [0, 1, 2].map(
      (channel) => [0.42 + number() * 0.2, 0.3 + number() * 0.2, hue + channel * spread] as const,
    );
    this.#centre = [number(), number()];
    this.#bend = 0.15 + number() * 0.3;
  }

  /** Paints rows `from` to `to` (exclusive) of a picture of this size into `pixels` (RGB, 3 bytes a pixel, the whole picture). */
  paint(pixels: Uint8Array, width: number, height: number, from: number, to: number): void {
    const scale = 1 / Math.min(width, height);
    const [p0 = 0, p1 = 0, p2 = 0, p3 = 0, p4 = 0, p5 = 0, p6 = 0] = this.#phase;
    const [f0 = 1, f1 = 1, f2 = 1, f3 = 1, f4 = 1, f5 = 1, f6 = 1, f7 = 1] = this.#frequency;
    const [cx, cy] = this.#centre;
    const bend = this.#bend;
    for (let y = from; y < to; y++) {
      const v = y * scale;
      const bentByRow = Math.sin(v * f0 + p0);
      for (let x = 0; x < width; x++) {
        const u = x * scale;
        const du = bend * (bentByRow + Math.sin((u + v) * f1 + p1));
        const dv = bend * (Math.sin(u * f2 + p2) + Math.sin((u - v) * f3 + p3));
        const rings = Math.sin(Math.hypot(u - cx + du, v - cy + dv) * f7 * 2 + p6);
        const waves = Math.sin((u + du) * f4 + p4) + Math.sin((v + dv) * f5 + p5 + rings) + 0.5 * rings;
        const tone = waves * 0.2 + 0.5;
        // A light that comes and goes gives the surface its folds.
        const light = 0.82 + 0.18 * Math.sin((u + v + du) * f6 * 2);
        const at = (y * width + x) * 3;
        for (let channel = 0; channel < 3; channel++) {
          const [offset, depth, phase] = this.#palette[channel] as readonly [number, number, number];
          pixels[at + channel] = Math.max(
            0,
            Math.min(255, 255 * light * (offset + depth * Math.cos(2 * Math.PI * (tone + phase)))),
          );
        }
      }
    }
  }
}
