import { FakeComfyUi } from "./fake-comfy-ui.ts";

/** `node --import …/typescript-hooks.js comfy-ui-process.ts <port>`: the stand-in as a process that can be killed like the engine itself. */
await FakeComfyUi.start("new", Number(process.argv[2]));
