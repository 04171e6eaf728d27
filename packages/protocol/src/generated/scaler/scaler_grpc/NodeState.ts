// Original file: scaler.proto

export const NodeState = {
  NODE_STATE_UNSPECIFIED: 'NODE_STATE_UNSPECIFIED',
  NODE_STATE_STARTING: 'NODE_STATE_STARTING',
  NODE_STATE_RUNNING: 'NODE_STATE_RUNNING',
  NODE_STATE_STOPPING: 'NODE_STATE_STOPPING',
  NODE_STATE_FAILED: 'NODE_STATE_FAILED',
} as const;

export type NodeState =
  | 'NODE_STATE_UNSPECIFIED'
  | 0
  | 'NODE_STATE_STARTING'
  | 1
  | 'NODE_STATE_RUNNING'
  | 2
  | 'NODE_STATE_STOPPING'
  | 3
  | 'NODE_STATE_FAILED'
  | 4

export type NodeState__Output = typeof NodeState[keyof typeof NodeState]
