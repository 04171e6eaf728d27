/** Why a server closes a node's socket. The page of the protocol lists them for the authors of nodes. */
export const CLOSE_CODES = {
  /** An ordinary end. */
  done: 1000,
  /** The peer broke the rules: no metadata, a version that nobody speaks, too many bad frames, no register in time. */
  policy: 1008,
  /** A message, or all that came before register, was too long. */
  tooLong: 1009,
  /** The server restarts: reconnect. */
  restart: 1012,
  /** Not now: the server can't take this node at present, or its id is fought over. Come back in a minute. */
  tryLater: 1013,
  /** A newer connection of the same node id took over. */
  replaced: 4001,
} as const;
