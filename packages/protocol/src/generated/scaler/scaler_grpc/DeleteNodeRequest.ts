// Original file: scaler.proto


export interface DeleteNodeRequest {
  'nodeId'?: (string);
}

export interface DeleteNodeRequest__Output {
  'nodeId': (string);
}
