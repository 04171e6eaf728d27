/** Every way in which an API request can be refused: stable code → status → sentence. The documentation page of problems
 *  is made of this table, v1's refusals take their statuses from it. */
export const PROBLEMS = {
  invalid_request: { status: 400, title: "A part of the request is not as the API describes it." },
  invalid_json: { status: 400, title: "The body is not readable as JSON." },
  cursor_invalid: { status: 400, title: "The cursor does not belong to this list." },
  event_id_unknown: { status: 400, title: "Last-Event-ID names an event that has not happened." },
  unauthenticated: { status: 401, title: "The token is missing, expired or not accepted here." },
  forbidden: { status: 403, title: "The caller may not do this." },
  signature_invalid: { status: 403, title: "The URL is not signed by this server." },
  route_not_found: { status: 404, title: "There is nothing at this address." },
  task_not_found: { status: 404, title: "The caller has no task with this id." },
  node_not_found: { status: 404, title: "There is no node with this id." },
  delivery_not_found: { status: 404, title: "The caller has no webhook of a task with this id." },
  upload_not_found: { status: 404, title: "The caller has no upload with this hash." },
  artifact_not_found: { status: 404, title: "The picture is not kept here, or not any more." },
  method_not_allowed: { status: 405, title: "The address knows other methods only." },
  task_not_ended: { status: 409, title: "The task has not ended yet." },
  attempt_closed: { status: 409, title: "The attempt is not open: nothing of it is taken or given any more." },
  url_expired: { status: 410, title: "The URL has expired; fetch the task again for a new one." },
  body_too_large: { status: 413, title: "The body is over the limit." },
  unsupported_media_type: { status: 415, title: "The body's Content-Type is not read here." },
  idempotency_key_reused: { status: 422, title: "The idempotency key was used for another request." },
  upload_hash_mismatch: { status: 422, title: "The uploaded bytes are not the announced ones." },
  upload_not_an_image: { status: 422, title: "The uploaded bytes are no picture that is taken here." },
  workflow_not_api_format: { status: 422, title: "The workflow is not a ComfyUI graph in API format." },
  rate_limited: { status: 429, title: "Too many requests; try again later." },
  queue_full: { status: 429, title: "Too many of the caller's tasks wait already." },
  internal: { status: 500, title: "A fault of the server's own." },
  unavailable: { status: 503, title: "The server cannot do this at present; nothing was changed." },
  timeout: { status: 504, title: "The task did not end in time; it lives on." },
} as const satisfies Record<string, { readonly status: number; readonly title: string }>;

export type ProblemCode = keyof typeof PROBLEMS;
