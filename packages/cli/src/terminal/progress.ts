import { SingleBar } from "cli-progress";
import type { Output } from "../cli-context.ts";
import { printable } from "./table.ts";

/** Tells how far something is: a bar that moves on a terminal, a line for each change of words elsewhere. */
export interface Progress {
  /** `share`: 0 to 1, or null where unknown. */
  update(share: number | null, words: string): void;
  end(): void;
}

export function createProgress(output: Output, silent: boolean): Progress {
  if (silent) return { update: () => {}, end: () => {} };
  return output.isTTY ? barProgress(output) : lineProgress(output);
}

function barProgress(output: Output): Progress {
  const bar = new SingleBar({
    stream: output,
    format: "{bar} {percentage}% {words}",
    clearOnComplete: true,
    hideCursor: true,
    linewrap: false,
  });
  bar.start(100, 0, { words: "" });
  return {
    update: (share, words) => bar.update(share === null ? 0 : Math.round(share * 100), { words: printable(words) }),
    end: () => bar.stop(),
  };
}

/** Every tenth and every new word, so that a log stays short. */
function lineProgress(output: Output): Progress {
  let told = "";
  return {
    update: (share, words) => {
      const tenth = share === null ? "" : ` ${Math.floor(share * 10) * 10}%`;
      const line = `${printable(words)}${tenth}`;
      if (line === told) return;
      told = line;
      output.write(`${line}\n`);
    },
    end: () => {},
  };
}
