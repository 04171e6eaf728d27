// Original file: scaler.proto

import type { Resources as _scaler_grpc_Resources, Resources__Output as _scaler_grpc_Resources__Output } from '../scaler_grpc/Resources.ts';
import type { OfferFilter as _scaler_grpc_OfferFilter, OfferFilter__Output as _scaler_grpc_OfferFilter__Output } from '../scaler_grpc/OfferFilter.ts';

export interface CreateNodeRequest {
  'platform'?: (string);
  'backend'?: (string);
  'image'?: (string);
  'provScript'?: (string);
  'vastaiIid'?: (number);
  'env'?: ({[key: string]: string});
  'labels'?: ({[key: string]: string});
  'nodeToken'?: (string);
  'idempotencyKey'?: (string);
  'resources'?: (_scaler_grpc_Resources | null);
  'filter'?: (_scaler_grpc_OfferFilter | null);
  'args'?: (string)[];
  'network'?: (string);
  '_vastaiIid'?: "vastaiIid";
}

export interface CreateNodeRequest__Output {
  'platform': (string);
  'backend': (string);
  'image': (string);
  'provScript': (string);
  'vastaiIid'?: (number);
  'env': ({[key: string]: string});
  'labels': ({[key: string]: string});
  'nodeToken': (string);
  'idempotencyKey': (string);
  'resources': (_scaler_grpc_Resources__Output | null);
  'filter': (_scaler_grpc_OfferFilter__Output | null);
  'args': (string)[];
  'network': (string);
  '_vastaiIid'?: "vastaiIid";
}
