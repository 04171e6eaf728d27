// Original file: scaler.proto


export interface LogChunk {
  'data'?: (Buffer | Uint8Array | string);
  'stderr'?: (boolean);
}

export interface LogChunk__Output {
  'data': (Buffer);
  'stderr': (boolean);
}
