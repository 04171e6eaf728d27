// Original file: scaler.proto

import type { OfferFilter as _scaler_grpc_OfferFilter, OfferFilter__Output as _scaler_grpc_OfferFilter__Output } from '../scaler_grpc/OfferFilter.ts';

export interface ListOffersRequest {
  'platform'?: (string);
  'filter'?: (_scaler_grpc_OfferFilter | null);
  'limit'?: (number);
}

export interface ListOffersRequest__Output {
  'platform': (string);
  'filter': (_scaler_grpc_OfferFilter__Output | null);
  'limit': (number);
}
