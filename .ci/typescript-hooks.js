import { register } from "node:module";

/** `node --import ./.ci/typescript-hooks.js` runs our TypeScript unbuilt: in the worker threads and child processes of tests,
 *  where jest's own transform does not reach. */
register("./typescript-loader.js", import.meta.url);
