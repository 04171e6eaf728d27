// Original file: scaler.proto

import type { NodeState as _scaler_grpc_NodeState, NodeState__Output as _scaler_grpc_NodeState__Output } from '../scaler_grpc/NodeState.ts';
import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from '../google/protobuf/Timestamp.ts';
import type { Resources as _scaler_grpc_Resources, Resources__Output as _scaler_grpc_Resources__Output } from '../scaler_grpc/Resources.ts';

export interface NodeInfo {
  'nodeId'?: (string);
  'platform'?: (string);
  'backend'?: (string);
  'image'?: (string);
  'state'?: (_scaler_grpc_NodeState);
  'createdAt'?: (_google_protobuf_Timestamp | null);
  'pricePerHour'?: (number | string);
  'labels'?: ({[key: string]: string});
  'gpu'?: (string);
  'resources'?: (_scaler_grpc_Resources | null);
  'idempotencyKey'?: (string);
  'message'?: (string);
  'exitCode'?: (number);
  'lastLogLines'?: (string)[];
  '_exitCode'?: "exitCode";
}

export interface NodeInfo__Output {
  'nodeId': (string);
  'platform': (string);
  'backend': (string);
  'image': (string);
  'state': (_scaler_grpc_NodeState__Output);
  'createdAt': (_google_protobuf_Timestamp__Output | null);
  'pricePerHour': (number);
  'labels': ({[key: string]: string});
  'gpu': (string);
  'resources': (_scaler_grpc_Resources__Output | null);
  'idempotencyKey': (string);
  'message': (string);
  'exitCode'?: (number);
  'lastLogLines': (string)[];
  '_exitCode'?: "exitCode";
}
