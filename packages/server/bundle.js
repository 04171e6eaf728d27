/** Makes the program, dist/main.js, of what the compiler left in dist: run by `npm run build` behind it. To find, read and link some 700 modules
 *  takes a second at each start; in a few files that is a third of it. What others import, dist/storage and what it stands on, stays as it is. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

const dist = join(import.meta.dirname, "dist");
/** Files that the program loads when it needs them, such as the client of S3. All lie side by side, because code finds what is not code
 *  from its own file: the writer's thread beside it, the manifest one folder up. */
const PART = "part-";

for (const file of await readdir(dist)) if (file.startsWith(PART)) await rm(join(dist, file));
await build({
  entryPoints: { main: join(dist, "entry.js"), "writer-thread": join(dist, "storage/sqlite/writer-thread.js") },
  outdir: dist,
  chunkNames: `${PART}[name]-[hash]`,
  bundle: true,
  splitting: true,
  platform: "node",
  format: "esm",
  target: "node20.19",
  sourcemap: true,
  // A binary; a folder of files to serve; what pg looks for and is not there; and a CommonJS package that is imported when it is needed,
  // which Node would know the names of and the bundle not.
  external: ["better-sqlite3", "swagger-ui-dist", "pg-native", "undici"],
  // CommonJS packages ask for Node's own modules by it.
  banner: {
    js: 'import { createRequire as requireOf } from "node:module"; const require = requireOf(import.meta.url);',
  },
  logLevel: "warning",
});
