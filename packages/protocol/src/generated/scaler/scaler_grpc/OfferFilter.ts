// Original file: scaler.proto

import type { Long } from '@grpc/proto-loader';

export interface OfferFilter {
  'gpuType'?: (string);
  'vramBytesMin'?: (number | string | Long);
  'pricePerHourMax'?: (number | string);
  'reliabilityMin'?: (number | string);
  'gpusMin'?: (number);
}

export interface OfferFilter__Output {
  'gpuType': (string);
  'vramBytesMin': (string);
  'pricePerHourMax': (number);
  'reliabilityMin': (number);
  'gpusMin': (number);
}
