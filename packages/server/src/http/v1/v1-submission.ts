import { V1_GRAPH_ERROR, V1ComfyBody, V1TaskBody } from "@genai/protocol";
import type { z } from "zod";
import { readJson } from "../../json-text.ts";
import type { V1Submission } from "../../tasks/new-task.ts";
import { fieldErrors, fieldSentence } from "../field-errors.ts";
import { HttpRefusal } from "../http-refusal.ts";
import { issueWords } from "../issue-words.ts";

/** Reads the body of `POST /v1/tasks/` and of `POST /v1/images/generation/`. */
export function readTaskBody(body: unknown): V1Submission {
  const parsed = parse(V1TaskBody, body);
  if (parsed.comfyPipeline != null) {
    const graph = readGraph(parsed.comfyPipeline.pipelineData, "comfyPipeline.pipelineData");
    return { body: parsed, type: "comfy", pipeline: parsed.comfyPipeline, graph };
  }
  if (parsed.standardPipeline == null) throw refused("one of standardPipeline and comfyPipeline is needed");
  return { body: parsed, type: "standard", pipeline: parsed.standardPipeline };
}

/** Reads the body of `POST /v1/inference/comfyPipeline`. */
export function readComfyBody(body: unknown): V1Submission {
  const parsed = parse(V1ComfyBody, body);
  return { body: parsed, type: "comfy", pipeline: parsed, graph: readGraph(parsed.pipelineData, "pipelineData") };
}

function parse<Schema extends z.ZodType>(schema: Schema, body: unknown): z.infer<Schema> {
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw refused("the body must be a JSON object");
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  // In our words only now: a parse that may have to find words takes twice as long.
  const fields = fieldErrors(schema.safeParse(body, { error: issueWords }).error ?? parsed.error);
  throw new HttpRefusal("invalid_request", { detail: fieldSentence(fields), fields });
}

/** The schema has seen that it begins as an object; here it is read, bounded in depth and in the number of its values. */
function readGraph(text: string, field: string): Readonly<Record<string, unknown>> {
  const reading = readJson(text);
  if (!reading.ok) throw refused(`${field}: ${V1_GRAPH_ERROR}: ${reading.message}`);
  return reading.value as Readonly<Record<string, unknown>>;
}

function refused(detail: string): HttpRefusal {
  return new HttpRefusal("invalid_request", { detail });
}
