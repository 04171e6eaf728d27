export * from "./ids.ts";
export * from "./pipeline.ts";
export * from "./protocol-2/node-frames.ts";
export * from "./protocol-2/server-frames.ts";
export * from "./v1/bodies.ts";
export * from "./v1/frames.ts";
