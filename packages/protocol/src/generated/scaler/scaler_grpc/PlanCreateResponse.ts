// Original file: scaler.proto

import type { NodeInfo as _scaler_grpc_NodeInfo, NodeInfo__Output as _scaler_grpc_NodeInfo__Output } from '../scaler_grpc/NodeInfo.ts';
import type { Offer as _scaler_grpc_Offer, Offer__Output as _scaler_grpc_Offer__Output } from '../scaler_grpc/Offer.ts';

export interface PlanCreateResponse {
  'node'?: (_scaler_grpc_NodeInfo | null);
  'offer'?: (_scaler_grpc_Offer | null);
  'existingNodeId'?: (string);
  'pull'?: (boolean);
  'warnings'?: (string)[];
}

export interface PlanCreateResponse__Output {
  'node': (_scaler_grpc_NodeInfo__Output | null);
  'offer': (_scaler_grpc_Offer__Output | null);
  'existingNodeId': (string);
  'pull': (boolean);
  'warnings': (string)[];
}
