/** Resolves once the condition holds; rejects with what was waited for when it does not in time. */
export async function until(what: string, holds: () => boolean, limitMs = 30_000): Promise<void> {
  const endAtMs = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > endAtMs) throw new Error(`waited in vain for ${what}`);
    await new Promise((next) => setTimeout(next, 2));
  }
}
