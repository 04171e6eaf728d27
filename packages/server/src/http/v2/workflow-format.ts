import { fieldRefusal, type HttpRefusal } from "../http-refusal.ts";

/** Most nodes that a graph may have. */
const GRAPH_NODES_MAX = 10_000;

/** Refuses what is no ComfyUI graph in API format, and says so in words where it is a workflow as the editor saves it. */
export function refuseUiFormat(workflow: Readonly<Record<string, unknown>>, field: string): void {
  if (Array.isArray(workflow.nodes) && Array.isArray(workflow.links)) {
    throw refused(
      field,
      "this is a workflow as ComfyUI's editor saves it (UI format); export it with “Save (API Format)” or “Export (API)”",
    );
  }
  const ids = Object.keys(workflow);
  if (ids.length === 0) throw refused(field, "the graph has no node");
  if (ids.length > GRAPH_NODES_MAX) throw refused(field, `the graph has more than ${GRAPH_NODES_MAX} nodes`);
  for (const id of ids) {
    const node = workflow[id];
    const classType = typeof node === "object" && node !== null && "class_type" in node ? node.class_type : undefined;
    if (typeof classType !== "string") throw refused(`${field}.${id}`, "a node needs a class_type");
  }
}

function refused(field: string, message: string): HttpRefusal {
  return fieldRefusal(field, message, "workflow_not_api_format");
}
