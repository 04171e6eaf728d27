// Original file: scaler.proto


export interface WatchNodesRequest {
}

export interface WatchNodesRequest__Output {
}
