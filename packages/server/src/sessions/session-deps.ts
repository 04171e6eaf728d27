import type { Logger } from "pino";
import type { ArtifactStore } from "../artifacts/artifact-store.ts";
import type { ArtifactUrls } from "../artifacts/artifact-urls.ts";
import type { NodeEvents } from "../coordinator/node-events.ts";
import type { GatewayLimits } from "./gateway-limits.ts";
import type { LegacyTerms } from "./legacy-provider.ts";
import type { NodeSocket } from "./node-socket.ts";

/** What a session works with. */
export interface SessionDeps {
  readonly socket: NodeSocket;
  readonly events: NodeEvents;
  readonly artifacts: ArtifactStore;
  readonly urls: ArtifactUrls;
  readonly limits: GatewayLimits;
  readonly legacyTerms: LegacyTerms;
  /** Largest picture, in bytes. */
  readonly artifactBytesMax: number;
  readonly logger: Logger;
  /** Counts a frame that can't be read; it is otherwise ignored. */
  readonly badFrame: (why: string) => void;
  /** Counts a frame of a type that this version does not know. */
  readonly unknownFrame: (type: string) => void;
}
