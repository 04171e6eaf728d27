// Original file: scaler.proto

import type { Offer as _scaler_grpc_Offer, Offer__Output as _scaler_grpc_Offer__Output } from '../scaler_grpc/Offer.ts';

export interface ListOffersResponse {
  'offers'?: (_scaler_grpc_Offer)[];
}

export interface ListOffersResponse__Output {
  'offers': (_scaler_grpc_Offer__Output)[];
}
