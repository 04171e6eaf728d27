import { CREDENTIAL_OPERATIONS } from "./credential-operations.ts";
import { EVENT_OPERATIONS } from "./event-operations.ts";
import { EXPLAIN_OPERATIONS } from "./explain-operations.ts";
import { FLEET_OPERATIONS } from "./fleet-operations.ts";
import { TASK_OPERATIONS } from "./task-operations.ts";
import { UPLOAD_OPERATIONS } from "./upload-operations.ts";
import { WEBHOOK_OPERATIONS } from "./webhook-operations.ts";

/** Every route of `/v2`. */
export const V2_OPERATIONS = {
  ...TASK_OPERATIONS,
  ...EVENT_OPERATIONS,
  ...EXPLAIN_OPERATIONS,
  ...UPLOAD_OPERATIONS,
  ...FLEET_OPERATIONS,
  ...WEBHOOK_OPERATIONS,
  ...CREDENTIAL_OPERATIONS,
} as const;

export type V2Operations = typeof V2_OPERATIONS;
export type V2OperationId = keyof V2Operations;
