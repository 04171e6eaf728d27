// Original file: scaler.proto


export interface GetNodeLogsRequest {
  'nodeId'?: (string);
  'tail'?: (number);
  'follow'?: (boolean);
}

export interface GetNodeLogsRequest__Output {
  'nodeId': (string);
  'tail': (number);
  'follow': (boolean);
}
