/** A model's name as it is compared: without folder, extension, Automatic1111's ` [hash]` and case.
 *  `SDXL\\Juggernaut_v9.safetensors [abc123]` and `juggernaut_v9` are one. */
export function normalizeModel(name: string): string {
  const file = name.slice(Math.max(name.lastIndexOf("/"), name.lastIndexOf("\\")) + 1);
  return file
    .replace(/ \[[0-9a-f]{6,64}\]$/i, "")
    .replace(/\.(safetensors|ckpt|pt|pth|bin|gguf|sft|onnx)$/i, "")
    .trim()
    .toLowerCase();
}
