/** What pictures are by their own first bytes, and which are taken: one rule for what callers bring and for what nodes make. */
export {
  hasUsableSize,
  headerOfBase64,
  IMAGE_HEADER_BYTES,
  type ImageHeader,
  isImageMime,
  PIXELS_MAX,
  readImageHeader,
} from "./pictures/image-header.ts";
