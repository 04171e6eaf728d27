import type { Trial } from "./trial.ts";

/** A trial that prints its own figures and throws where a promise was broken. */
export function asTrial<Option extends string>(
  name: string,
  what: string,
  options: Trial<Option>["options"],
  run: (options: Readonly<Record<Option, number>>, seed: number) => Promise<void>,
): Trial {
  return {
    name,
    what,
    options,
    async run(context) {
      try {
        await run(context.options as Readonly<Record<Option, number>>, context.random.seed);
        return { figures: [], violations: [] };
      } catch (error) {
        return { figures: [], violations: [error instanceof Error ? error.message : String(error)] };
      }
    },
  };
}
