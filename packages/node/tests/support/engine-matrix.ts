import type { EngineType } from "../../src/engines/engine.ts";

/** What engines are asked for, in the order of the table in docs/node.md. */
const ABILITIES = [
  "standard",
  "comfy graph",
  "image input",
  "progress",
  "preview",
  "cancel",
  "several images",
  "model switch",
] as const;
export type Ability = (typeof ABILITIES)[number];

/** What each engine can do. Every cell is a test of the contract suite: of doing it, or of saying that it can't. */
export const ENGINE_MATRIX: Readonly<Record<EngineType, Readonly<Record<Ability, boolean>>>> = {
  comfyUI: all({}),
  automatic: all({ "comfy graph": false }),
  voltaml: all({ "comfy graph": false }),
  test: all({}),
};

function all(but: Partial<Record<Ability, boolean>>): Readonly<Record<Ability, boolean>> {
  return { ...(Object.fromEntries(ABILITIES.map((ability) => [ability, true])) as Record<Ability, boolean>), ...but };
}
