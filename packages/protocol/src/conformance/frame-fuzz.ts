import { Random } from "./random.ts";
import { rawFrame } from "./raw-frame.ts";
import { RawSocket } from "./raw-socket.ts";

/** A connection on which the server answers nothing for so long is given up, in milliseconds. Noise that reads as the head of a long
 *  frame swallows all that comes after it, pings and pongs too; and as long as pongs come, the server takes the node for one on a slow line. */
const GIVE_UP_MS = 2_000;

/** Frames that a connection is sent before the server's answer is waited for. */
const AT_ONCE = 200;

const ATTEMPT = "00000000-0000-4000-8000-000000000000";
const DEEP = "[".repeat(20_000);

/** Kinds of hostile frames, each a way to make its bytes. */
export const FRAME_ATTACKS: Readonly<Record<string, (random: Random) => Buffer>> = {
  badJson: (random) => rawFrame(random.pick(["{", "}", "nul", '{"type":', "\u0000", "[1,]", "undefined", ""])),
  notAFrame: (random) => rawFrame(random.pick(["null", "7", '"register"', "[]", "{}", '{"type":[]}', '{"type":null}'])),
  deepJson: () => rawFrame(`{"type":"capabilities","capabilities":${DEEP}`),
  prototypes: () =>
    rawFrame(
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"type":"progress","attemptId":"__proto__"}',
    ),
  badUtf8: () => rawFrame(Buffer.from([0xc3, 0x28, 0xff])),
  fragments: (random) => {
    const text = Buffer.from(`{"type":"later-${Math.floor(random.next() * 1e6)}"}`);
    return Buffer.concat(
      [...text].map((byte, at) =>
        rawFrame(Buffer.from([byte]), { opcode: at === 0 ? 1 : 0, fin: at === text.length - 1 }),
      ),
    );
  },
  strayFragment: () => rawFrame("a", { opcode: 0 }),
  pings: (random) => rawFrame(Buffer.alloc(Math.floor(random.between(0, 125)), 7), { opcode: 9 }),
  longPing: () => rawFrame(Buffer.alloc(126), { opcode: 9 }),
  pongs: () => rawFrame("nobody asked", { opcode: 10 }),
  unknownType: (random) => rawFrame(`{"type":"later-${Math.floor(random.next() * 1e9)}","attemptId":{}}`),
  unknownOpcode: (random) => rawFrame("x", { opcode: random.pick([3, 4, 7, 11, 15]) }),
  bytes: () => rawFrame(Buffer.from([1, 2, 3]), { opcode: 2 }),
  compressed: () => rawFrame("not compressed at all", { compressed: true }),
  huge: () => rawFrame("a", { declaredBytes: 2 ** 40 }),
  unmasked: () => rawFrame('{"type":"status"}', { masked: false }),
  badClose: (random) => rawFrame(Buffer.from([0, Math.floor(random.next() * 256)]), { opcode: 8 }),
  noise: (random) => Buffer.from(Array.from({ length: 32 }, () => Math.floor(random.next() * 256))),
  secondRegister: () => rawFrame('{"type":"register","protocol":2,"nodeId":"other"}'),
  foreignAttempt: (random) =>
    rawFrame(JSON.stringify({ type: random.pick(["accepted", "rejected", "result", "error"]), attemptId: ATTEMPT })),
  wildNumbers: (random) =>
    rawFrame(
      `{"type":"progress","attemptId":"${ATTEMPT}","value":${random.pick(["1e999", "-1", "NaN", '"0.5"', "1e-999"])}}`,
    ),
  wildHeartbeat: (random) =>
    rawFrame(
      `{"type":"heartbeat","seq":${random.pick(["-1", "1e308", "0.5", "9007199254740993"])},"free":1,"running":[]}`,
    ),
};

/** Kinds after which a server goes on reading: they are sent far more often, so that there are frames to read. */
const HARMLESS = ["pings", "pongs", "unknownType", "fragments"] as const;
const KINDS = Object.keys(FRAME_ATTACKS) as [string, ...string[]];

export interface FuzzReport {
  readonly frames: number;
  readonly connections: number;
  /** How often the server closed with which code; `none` where it just ended the connection. */
  readonly closeCodes: Readonly<Record<string, number>>;
  /** Connections on which the server waited for the rest of a frame, so that this side went away. */
  readonly givenUp: number;
}

/** Sends so many hostile frames to a server that takes nodes on path `/`, by connections of which half have registered before, each a
 *  node of its own. Rejects where the server no longer takes connections. */
export async function fuzzFrames(options: {
  readonly port: number;
  readonly frames: number;
  readonly seed: number;
  /** A connection on which the server answers nothing for so long is given up. Default 2,000. */
  readonly giveUpMs?: number;
}): Promise<FuzzReport> {
  const random = new Random(options.seed);
  const closeCodes: Record<string, number> = {};
  let frames = 0;
  let connections = 0;
  let givenUp = 0;
  while (frames < options.frames) {
    const socket = await RawSocket.connect(options.port);
    connections += 1;
    if (connections % 2 === 0) socket.say(registerOf(`fuzz-${connections}`));
    // A connection lives until the server has enough of it, or this side does.
    for (let rounds = 0; socket.isOpen && rounds < 20 && frames < options.frames; rounds++) {
      const batch = Array.from({ length: AT_ONCE }, () => attack(random));
      frames += batch.length;
      socket.socket.write(Buffer.concat(batch));
      if (await isSilent(socket, options.giveUpMs ?? GIVE_UP_MS)) {
        givenUp += 1;
        break;
      }
    }
    if (socket.isOpen) socket.cut();
    const code = (await socket.closed) ?? "none";
    closeCodes[code] = (closeCodes[code] ?? 0) + 1;
  }
  return { frames, connections, closeCodes, givenUp };
}

/** Whether the server has neither read what was sent nor ended the connection after so long. */
async function isSilent(socket: RawSocket, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, limitMs, true);
  });
  const answered = Promise.race([socket.settled(), socket.closed]).then(() => false);
  return await Promise.race([answered, limit]).finally(() => clearTimeout(timer));
}

function attack(random: Random): Buffer {
  const kind = random.next() < 0.97 ? random.pick(HARMLESS) : random.pick(KINDS);
  return FRAME_ATTACKS[kind]?.(random) ?? Buffer.alloc(0);
}

function registerOf(nodeId: string): object {
  const capabilities = { engine: "fuzz", pipelines: [], ready: false };
  return { type: "register", protocol: 2, nodeId, bootId: "boot", capabilities, slots: 1, held: [] };
}
