import type { V2GraphImage, V2InputImage, V2Pipeline } from "@genai/protocol";
import { hasUsableSize, headerOfBase64, type ImageHeader, PIXELS_MAX, readImageHeader } from "@genai/protocol/pictures";
import type { TaskInputs } from "../../tasks/new-task.ts";
import { fieldRefusal, HttpRefusal } from "../http-refusal.ts";
import type { Files } from "../multipart-body.ts";

type ReadUpload = (uploadId: string) => Promise<Buffer | null>;

/** Reads the input images of a pipeline from where they are: the body itself, uploads, parts of the same body. Refuses a part that is
 *  missing, and one that nothing names: its sender believes that it is used. */
export async function readInputs(pipeline: V2Pipeline, files: Files, readUpload: ReadUpload): Promise<TaskInputs> {
  const unused = new Set(files.keys());
  const read = async (image: Reference, field: string): Promise<Picture> => {
    if ("part" in image) unused.delete(image.part);
    return await picture(image, field, files, readUpload);
  };
  const inputs: TaskInputs =
    pipeline.type === "comfy"
      ? { image: null, images: await graphImages(pipeline.images, read) }
      : { image: await standardImage(pipeline.image, read), images: null };
  const [surplus] = unused;
  if (surplus !== undefined) throw fieldRefusal(surplus, "is a part that the task does not name");
  return inputs;
}

type Reference = { readonly uploadId: string } | { readonly part: string };
interface Picture {
  readonly base64: string;
  readonly mime: string;
}
type Read = (image: Reference, field: string) => Promise<Picture>;

async function standardImage(image: V2InputImage | undefined, read: Read): Promise<TaskInputs["image"]> {
  if (image === undefined) return null;
  if ("url" in image) return image;
  if (!("base64" in image)) return await read(image, "pipeline.image");
  mustBeUsable(headerOfBase64(image.base64), "pipeline.image.base64");
  return image;
}

async function graphImages(
  images: Readonly<Record<string, V2GraphImage>> | undefined,
  read: Read,
): Promise<TaskInputs["images"]> {
  if (images === undefined) return null;
  const named: [string, string][] = [];
  for (const [name, image] of Object.entries(images)) {
    const field = `pipeline.images.${name}`;
    if (typeof image === "string") mustBeUsable(headerOfBase64(image), field);
    named.push([name, typeof image === "string" ? image : (await read(image, field)).base64]);
  }
  return Object.fromEntries(named);
}

async function picture(image: Reference, field: string, files: Files, readUpload: ReadUpload): Promise<Picture> {
  const bytes = "part" in image ? files.get(image.part) : await readUpload(image.uploadId);
  if (bytes == null) {
    if ("part" in image) throw fieldRefusal(`${field}.part`, `the body has no part ${JSON.stringify(image.part)}`);
    throw new HttpRefusal("upload_not_found", { detail: `there is no upload ${image.uploadId}` });
  }
  const header = readImageHeader(bytes);
  mustBeUsable(header, field);
  return { base64: bytes.toString("base64"), mime: header.mime };
}

/** Refuses what is no picture. A few bytes that claim more pixels than anybody can open would cost the node that opens them its memory. */
function mustBeUsable(header: ImageHeader | null, field: string): asserts header is ImageHeader {
  if (header === null) throw fieldRefusal(field, "is no PNG, JPEG, WebP, GIF or AVIF", "upload_not_an_image");
  if (hasUsableSize(header)) return;
  throw fieldRefusal(field, `a picture may have 1 to ${PIXELS_MAX} pixels`, "upload_not_an_image");
}
