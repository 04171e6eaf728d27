import { z } from "zod";

const Refusal = z.looseObject({
  error: z
    .union([z.string(), z.looseObject({ message: z.string().default(""), details: z.string().default("") })])
    .optional(),
  node_errors: z.unknown().optional(),
});

const NodeErrors = z.record(
  z.string(),
  z.looseObject({
    class_type: z.string().default("?"),
    errors: z.array(z.looseObject({ message: z.string().default(""), details: z.string().default("") })).default([]),
  }),
);

/** All errors of a graph's nodes as text, one a line; empty where there are none. */
export function nodeErrorsText(nodeErrors: unknown): string {
  const parsed = NodeErrors.safeParse(nodeErrors);
  if (!parsed.success) return "";
  return Object.entries(parsed.data)
    .flatMap(([id, node]) =>
      node.errors.map(
        ({ message, details }) => `Node ${id} (${node.class_type}): ${[message, details].filter(Boolean).join(": ")}`,
      ),
    )
    .join("\n");
}

/** What ComfyUI said when it refused a graph: JSON of several shapes, or plain text. */
export function refusalText(status: number, body: string): string {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return `ComfyUI answered ${status}: ${body.trim().slice(0, 500) || "(nothing)"}`;
  }
  const parsed = Refusal.safeParse(value);
  if (!parsed.success) return `ComfyUI answered ${status}: ${body.slice(0, 500)}`;
  const { error, node_errors } = parsed.data;
  const head = typeof error === "string" ? error : [error?.message, error?.details].filter(Boolean).join(": ");
  return [head || `ComfyUI answered ${status}`, nodeErrorsText(node_errors)].filter(Boolean).join("\n");
}

const ExecutionError = z.looseObject({
  node_id: z.string().default("?"),
  node_type: z.string().default("?"),
  exception_type: z.string().default(""),
  exception_message: z.string().default(""),
  traceback: z.array(z.string()).default([]),
});

/** Longest traceback that goes to the log, in characters. */
const TRACEBACK_CHARS_MAX = 20_000;

/** What went wrong while a graph ran. The traceback, in `detail`, is for the log, never for the user. */
export function executionError(data: unknown): {
  readonly message: string;
  readonly outOfMemory: boolean;
  readonly detail: string;
} {
  const { node_id, node_type, exception_type, exception_message, traceback } = ExecutionError.parse(data);
  const message = `Node ${node_id} (${node_type}): ${exception_type}: ${exception_message.trim()}`;
  return {
    message,
    detail: traceback.join("").slice(0, TRACEBACK_CHARS_MAX),
    outOfMemory: /out of memory|OutOfMemory|CUDA error/i.test(`${exception_type} ${exception_message}`),
  };
}
