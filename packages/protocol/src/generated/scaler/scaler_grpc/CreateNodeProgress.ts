// Original file: scaler.proto

import type { NodeInfo as _scaler_grpc_NodeInfo, NodeInfo__Output as _scaler_grpc_NodeInfo__Output } from '../scaler_grpc/NodeInfo.ts';

// Original file: scaler.proto

export const _scaler_grpc_CreateNodeProgress_Stage = {
  STAGE_UNSPECIFIED: 'STAGE_UNSPECIFIED',
  STAGE_PLANNED: 'STAGE_PLANNED',
  STAGE_PULLING: 'STAGE_PULLING',
  STAGE_CREATING: 'STAGE_CREATING',
  STAGE_STARTING: 'STAGE_STARTING',
  STAGE_DONE: 'STAGE_DONE',
} as const;

export type _scaler_grpc_CreateNodeProgress_Stage =
  | 'STAGE_UNSPECIFIED'
  | 0
  | 'STAGE_PLANNED'
  | 1
  | 'STAGE_PULLING'
  | 2
  | 'STAGE_CREATING'
  | 3
  | 'STAGE_STARTING'
  | 4
  | 'STAGE_DONE'
  | 5

export type _scaler_grpc_CreateNodeProgress_Stage__Output = typeof _scaler_grpc_CreateNodeProgress_Stage[keyof typeof _scaler_grpc_CreateNodeProgress_Stage]

export interface CreateNodeProgress {
  'stage'?: (_scaler_grpc_CreateNodeProgress_Stage);
  'progress'?: (number | string);
  'message'?: (string);
  'node'?: (_scaler_grpc_NodeInfo | null);
  '_progress'?: "progress";
}

export interface CreateNodeProgress__Output {
  'stage': (_scaler_grpc_CreateNodeProgress_Stage__Output);
  'progress'?: (number);
  'message': (string);
  'node': (_scaler_grpc_NodeInfo__Output | null);
  '_progress'?: "progress";
}
