// Original file: scaler.proto

import type { Long } from '@grpc/proto-loader';

export interface Resources {
  'memoryBytes'?: (number | string | Long);
  'cpus'?: (number | string);
  'gpus'?: (number);
  'pidsMax'?: (number);
  'diskBytes'?: (number | string | Long);
}

export interface Resources__Output {
  'memoryBytes': (string);
  'cpus': (number);
  'gpus': (number);
  'pidsMax': (number);
  'diskBytes': (string);
}
