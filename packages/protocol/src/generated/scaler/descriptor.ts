// Made by protos/generate.js from protos/scaler.proto.
export const descriptor = {
  "nested": {
    "scaler_grpc": {
      "nested": {
        "Scaler": {
          "methods": {
            "CreateNode": {
              "requestType": "CreateNodeRequest",
              "responseType": "CreateNodeResponse"
            },
            "DeleteNode": {
              "requestType": "DeleteNodeRequest",
              "responseType": "DeleteNodeResponse"
            },
            "ListNodes": {
              "requestType": "google.protobuf.Empty",
              "responseType": "ListNodesResponse"
            },
            "GetNode": {
              "requestType": "GetNodeRequest",
              "responseType": "NodeInfo"
            },
            "WatchNodes": {
              "requestType": "WatchNodesRequest",
              "responseType": "NodeChange",
              "responseStream": true
            },
            "CreateNodeStream": {
              "requestType": "CreateNodeRequest",
              "responseType": "CreateNodeProgress",
              "responseStream": true
            },
            "ListOffers": {
              "requestType": "ListOffersRequest",
              "responseType": "ListOffersResponse"
            },
            "PlanCreate": {
              "requestType": "CreateNodeRequest",
              "responseType": "PlanCreateResponse"
            },
            "GetNodeLogs": {
              "requestType": "GetNodeLogsRequest",
              "responseType": "LogChunk",
              "responseStream": true
            }
          }
        },
        "CreateNodeRequest": {
          "oneofs": {
            "_vastaiIid": {
              "oneof": [
                "vastaiIid"
              ]
            }
          },
          "fields": {
            "platform": {
              "type": "string",
              "id": 1
            },
            "backend": {
              "type": "string",
              "id": 2
            },
            "image": {
              "type": "string",
              "id": 3
            },
            "provScript": {
              "type": "string",
              "id": 4
            },
            "vastaiIid": {
              "type": "int32",
              "id": 5,
              "options": {
                "proto3_optional": true
              }
            },
            "env": {
              "keyType": "string",
              "type": "string",
              "id": 6
            },
            "labels": {
              "keyType": "string",
              "type": "string",
              "id": 7
            },
            "nodeToken": {
              "type": "string",
              "id": 8
            },
            "idempotencyKey": {
              "type": "string",
              "id": 9
            },
            "resources": {
              "type": "Resources",
              "id": 10
            },
            "filter": {
              "type": "OfferFilter",
              "id": 11
            },
            "args": {
              "rule": "repeated",
              "type": "string",
              "id": 12
            },
            "network": {
              "type": "string",
              "id": 13
            }
          }
        },
        "CreateNodeResponse": {
          "fields": {
            "nodeId": {
              "type": "string",
              "id": 1
            }
          }
        },
        "DeleteNodeRequest": {
          "fields": {
            "nodeId": {
              "type": "string",
              "id": 1
            }
          }
        },
        "DeleteNodeResponse": {
          "fields": {}
        },
        "ListNodesResponse": {
          "fields": {
            "nodes": {
              "rule": "repeated",
              "type": "NodeInfo",
              "id": 1
            }
          }
        },
        "NodeInfo": {
          "oneofs": {
            "_exitCode": {
              "oneof": [
                "exitCode"
              ]
            }
          },
          "fields": {
            "nodeId": {
              "type": "string",
              "id": 1
            },
            "platform": {
              "type": "string",
              "id": 2
            },
            "backend": {
              "type": "string",
              "id": 3
            },
            "image": {
              "type": "string",
              "id": 4
            },
            "state": {
              "type": "NodeState",
              "id": 5
            },
            "createdAt": {
              "type": "google.protobuf.Timestamp",
              "id": 6
            },
            "pricePerHour": {
              "type": "double",
              "id": 7
            },
            "labels": {
              "keyType": "string",
              "type": "string",
              "id": 8
            },
            "gpu": {
              "type": "string",
              "id": 9
            },
            "resources": {
              "type": "Resources",
              "id": 10
            },
            "idempotencyKey": {
              "type": "string",
              "id": 11
            },
            "message": {
              "type": "string",
              "id": 12
            },
            "exitCode": {
              "type": "int32",
              "id": 13,
              "options": {
                "proto3_optional": true
              }
            },
            "lastLogLines": {
              "rule": "repeated",
              "type": "string",
              "id": 14
            }
          }
        },
        "NodeState": {
          "values": {
            "NODE_STATE_UNSPECIFIED": 0,
            "NODE_STATE_STARTING": 1,
            "NODE_STATE_RUNNING": 2,
            "NODE_STATE_STOPPING": 3,
            "NODE_STATE_FAILED": 4
          }
        },
        "Resources": {
          "fields": {
            "memoryBytes": {
              "type": "int64",
              "id": 1
            },
            "cpus": {
              "type": "double",
              "id": 2
            },
            "gpus": {
              "type": "int32",
              "id": 3
            },
            "pidsMax": {
              "type": "int32",
              "id": 4
            },
            "diskBytes": {
              "type": "int64",
              "id": 5
            }
          }
        },
        "GetNodeRequest": {
          "fields": {
            "nodeId": {
              "type": "string",
              "id": 1
            }
          }
        },
        "WatchNodesRequest": {
          "fields": {}
        },
        "NodeChange": {
          "fields": {
            "type": {
              "type": "Type",
              "id": 1
            },
            "node": {
              "type": "NodeInfo",
              "id": 2
            }
          },
          "nested": {
            "Type": {
              "values": {
                "TYPE_UNSPECIFIED": 0,
                "TYPE_ADDED": 1,
                "TYPE_CHANGED": 2,
                "TYPE_REMOVED": 3,
                "TYPE_SYNCED": 4
              }
            }
          }
        },
        "CreateNodeProgress": {
          "oneofs": {
            "_progress": {
              "oneof": [
                "progress"
              ]
            }
          },
          "fields": {
            "stage": {
              "type": "Stage",
              "id": 1
            },
            "progress": {
              "type": "double",
              "id": 2,
              "options": {
                "proto3_optional": true
              }
            },
            "message": {
              "type": "string",
              "id": 3
            },
            "node": {
              "type": "NodeInfo",
              "id": 4
            }
          },
          "nested": {
            "Stage": {
              "values": {
                "STAGE_UNSPECIFIED": 0,
                "STAGE_PLANNED": 1,
                "STAGE_PULLING": 2,
                "STAGE_CREATING": 3,
                "STAGE_STARTING": 4,
                "STAGE_DONE": 5
              }
            }
          }
        },
        "OfferFilter": {
          "fields": {
            "gpuType": {
              "type": "string",
              "id": 1
            },
            "vramBytesMin": {
              "type": "int64",
              "id": 2
            },
            "pricePerHourMax": {
              "type": "double",
              "id": 3
            },
            "reliabilityMin": {
              "type": "double",
              "id": 4
            },
            "gpusMin": {
              "type": "int32",
              "id": 5
            }
          }
        },
        "ListOffersRequest": {
          "fields": {
            "platform": {
              "type": "string",
              "id": 1
            },
            "filter": {
              "type": "OfferFilter",
              "id": 2
            },
            "limit": {
              "type": "int32",
              "id": 3
            }
          }
        },
        "ListOffersResponse": {
          "fields": {
            "offers": {
              "rule": "repeated",
              "type": "Offer",
              "id": 1
            }
          }
        },
        "Offer": {
          "fields": {
            "offerId": {
              "type": "string",
              "id": 1
            },
            "platform": {
              "type": "string",
              "id": 2
            },
            "gpu": {
              "type": "string",
              "id": 3
            },
            "gpus": {
              "type": "int32",
              "id": 4
            },
            "vramBytes": {
              "type": "int64",
              "id": 5
            },
            "pricePerHour": {
              "type": "double",
              "id": 6
            },
            "reliability": {
              "type": "double",
              "id": 7
            },
            "location": {
              "type": "string",
              "id": 8
            },
            "machineId": {
              "type": "string",
              "id": 9
            }
          }
        },
        "PlanCreateResponse": {
          "fields": {
            "node": {
              "type": "NodeInfo",
              "id": 1
            },
            "offer": {
              "type": "Offer",
              "id": 2
            },
            "existingNodeId": {
              "type": "string",
              "id": 3
            },
            "pull": {
              "type": "bool",
              "id": 4
            },
            "warnings": {
              "rule": "repeated",
              "type": "string",
              "id": 5
            }
          }
        },
        "GetNodeLogsRequest": {
          "fields": {
            "nodeId": {
              "type": "string",
              "id": 1
            },
            "tail": {
              "type": "int32",
              "id": 2
            },
            "follow": {
              "type": "bool",
              "id": 3
            }
          }
        },
        "LogChunk": {
          "fields": {
            "data": {
              "type": "bytes",
              "id": 1
            },
            "stderr": {
              "type": "bool",
              "id": 2
            }
          }
        }
      }
    },
    "google": {
      "nested": {
        "protobuf": {
          "nested": {
            "Empty": {
              "fields": {}
            },
            "Timestamp": {
              "fields": {
                "seconds": {
                  "type": "int64",
                  "id": 1
                },
                "nanos": {
                  "type": "int32",
                  "id": 2
                }
              }
            }
          }
        }
      }
    }
  }
} as const;
