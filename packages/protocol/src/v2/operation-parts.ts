import { z } from "zod";
import { NodeId, TaskId } from "../ids.ts";

export const taskParams = z.strictObject({ taskId: TaskId.meta({ description: "A task's id." }) });

export const nodeParams = z.strictObject({ nodeId: NodeId.meta({ description: "A node's id." }) });

export const STANDARD_EXAMPLE = {
  pipeline: { type: "standard", prompt: "a red fox in the snow", width: 512, height: 512, steps: 20, seed: 7 },
  maxCost: 15,
};
