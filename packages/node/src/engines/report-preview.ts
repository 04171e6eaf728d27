import type { EngineReport } from "./engine.ts";
import { pictureType } from "./picture-type.ts";

/** Reports a preview that came as a data URL or in bare base64; says nothing where there is none, or of a type that previews can't have. */
export function reportPreview(report: EngineReport, text: string | null | undefined): void {
  if (text === null || text === undefined || text === "") return;
  const bytes = Buffer.from(text.replace(/^data:[^,]{0,100},/, ""), "base64");
  const mime = pictureType(bytes);
  if (mime === "image/png" || mime === "image/jpeg" || mime === "image/webp") report.preview(mime, bytes);
}
