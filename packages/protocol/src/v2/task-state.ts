import { z } from "zod";

/** States of a task. The last three are final. */
export const V2TaskState = z
  .enum(["queued", "running", "succeeded", "failed", "canceled"])
  .meta({ id: "TaskState", description: "The last three are final." });
export type V2TaskState = z.infer<typeof V2TaskState>;

/** RFC 3339 in UTC. */
export const Instant = z.iso.datetime().meta({ example: "2026-01-31T12:00:00.000Z" });
