// Original file: scaler.proto


export interface DeleteNodeResponse {
}

export interface DeleteNodeResponse__Output {
}
