// Original file: scaler.proto

import type { Long } from '@grpc/proto-loader';

export interface Offer {
  'offerId'?: (string);
  'platform'?: (string);
  'gpu'?: (string);
  'gpus'?: (number);
  'vramBytes'?: (number | string | Long);
  'pricePerHour'?: (number | string);
  'reliability'?: (number | string);
  'location'?: (string);
  'machineId'?: (string);
}

export interface Offer__Output {
  'offerId': (string);
  'platform': (string);
  'gpu': (string);
  'gpus': (number);
  'vramBytes': (string);
  'pricePerHour': (number);
  'reliability': (number);
  'location': (string);
  'machineId': (string);
}
