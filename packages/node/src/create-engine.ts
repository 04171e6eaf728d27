import { join } from "node:path";
import type { Flags } from "./command-line/flags.ts";
import { AutomaticEngine } from "./engines/automatic/automatic-engine.ts";
import { ComfyUiEngine } from "./engines/comfy-ui/comfy-ui-engine.ts";
import type { Engine } from "./engines/engine.ts";
import { createInputFetcher } from "./engines/fetch-input.ts";
import { TestEngine } from "./engines/test/test-engine.ts";
import { VoltaEngine } from "./engines/voltaml/voltaml-engine.ts";

/** The engine that the flags name, at its URL or at its own port on this machine. */
export function createEngine(flags: Flags): Engine {
  const remote = {
    scratch: join(flags.home, "scratch"),
    fetchInput: createInputFetcher({ allowPrivate: flags.allowPrivateInputs }),
  };
  switch (flags.type) {
    case "test":
      return new TestEngine({ models: flags.models, faults: flags.faultInjection, stepMs: flags.stepMs });
    case "comfyUI":
      return new ComfyUiEngine({ url: flags.inference ?? "http://127.0.0.1:8188", ...remote });
    case "automatic":
      return new AutomaticEngine({ url: flags.inference ?? "http://127.0.0.1:7860", ...remote });
    case "voltaml":
      return new VoltaEngine({ url: flags.inference ?? "http://127.0.0.1:5003", ...remote });
  }
}
