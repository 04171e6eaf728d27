/** The name by which the engine knows a model, compared without folder, extension, ` [hash]` and case; null where it has none such. */
export function findModel(wanted: string, known: readonly string[]): string | null {
  const plain = (name: string): string =>
    (name.split(/[\\/]/).at(-1) ?? name)
      .replace(/ \[[0-9a-f]+\]$/i, "")
      .replace(/\.(?:safetensors|ckpt|pt|pth|bin|gguf)$/i, "")
      .toLowerCase();
  return known.find((name) => name === wanted) ?? known.find((name) => plain(name) === plain(wanted)) ?? null;
}
