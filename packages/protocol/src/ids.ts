import { z } from "zod";

/** A UUID of any version in lower case. */
const Uuid = z
  .string()
  .regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/, "must be a lower-case UUID");

/** A task's id: a UUIDv7, so that ids sort by the time of creation. */
export const TaskId = Uuid.brand<"TaskId">();
export type TaskId = z.infer<typeof TaskId>;

/** An attempt's id: a UUIDv4, or the task's own id for the first attempt of a legacy node. The only id that a node sees. */
export const AttemptId = Uuid.brand<"AttemptId">();
export type AttemptId = z.infer<typeof AttemptId>;

/** A node's own id: any non-empty string of up to 256 characters (the stock node's ids are not valid UUIDs). */
export const NodeId = z.string().min(1).max(256);
export type NodeId = z.infer<typeof NodeId>;

/** The id of a node that speaks protocol 2: it is shown in terminals and logs, so nothing in it may move a cursor or end a line. */
export const PlainNodeId = NodeId.refine((id) => !/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(id), {
  error: "must have no control characters",
});
