// Original file: scaler.proto


export interface CreateNodeResponse {
  'nodeId'?: (string);
}

export interface CreateNodeResponse__Output {
  'nodeId': (string);
}
