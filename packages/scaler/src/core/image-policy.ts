import { ScalerError } from "./scaler-error.ts";

/** Which images may run: patterns in which `*` stands for any characters but none of them for `/`, and `**` for any at all.
 *  A pattern without tag or digest allows every tag. `**` alone allows everything. */
export class ImagePolicy {
  readonly #patterns: readonly string[];
  readonly #expressions: readonly RegExp[];

  constructor(patterns: readonly string[]) {
    this.#patterns = patterns;
    this.#expressions = patterns.map(toExpression);
  }

  /** Throws `image_not_allowed`. */
  check(image: string): void {
    if (this.#expressions.some((expression) => expression.test(image))) return;
    const allowed = this.#patterns.length === 0 ? "none is" : `allowed are ${this.#patterns.join(", ")}`;
    throw new ScalerError("image_not_allowed", `Image ${image} is not allowed here: ${allowed} (IMAGE_ALLOW).`);
  }
}

function toExpression(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&");
  const body = escaped.replace(/\*\*|\*/g, (stars) => (stars === "**" ? ".*" : "[^/]*"));
  const lastPart = pattern.slice(pattern.lastIndexOf("/") + 1);
  const tagged = lastPart.includes(":") || pattern.includes("@") || pattern.endsWith("*");
  return new RegExp(`^${body}${tagged ? "" : "(?::[A-Za-z0-9_.-]+)?(?:@sha256:[0-9a-f]{64})?"}$`);
}
