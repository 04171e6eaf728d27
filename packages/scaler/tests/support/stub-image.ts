import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { docker } from "./docker.ts";

/** A node in name only: it says hello, and tells what it is told. DRAIN_MS: how long it takes to leave. EXIT: ends by itself with
 *  that code. */
const program = `
// The engine reads the two outputs apart: what is said at once may be told in either order.
if (process.env.EXIT) setTimeout(() => { console.error("giving up"); process.exit(Number(process.env.EXIT)); }, 200);
process.on("SIGTERM", () => {
  console.log("draining");
  setTimeout(() => { console.log("drained"); process.exit(0); }, Number(process.env.DRAIN_MS ?? 0));
});
console.log("hello from", process.env.BACKEND_SERVER);
setInterval(() => {}, 1000);
`;

/** Builds, in under two seconds, an image on this machine's own Node. `own`: with our label, as our node image has it. */
export function stubImage(kind: "own" | "foreign"): string {
  const image = `genai-test/stub-${kind}:${process.pid}`;
  const base = execFileSync(process.execPath, [join(import.meta.dirname, "../../../../docker/make-base-image.js")], {
    encoding: "utf8",
  }).trim();
  const folder = mkdtempSync(join(tmpdir(), "stub-image-"));
  try {
    writeFileSync(join(folder, "main.js"), program);
    const label = kind === "own" ? "LABEL org.genai.node=1" : "LABEL made-by=others";
    const lines = [`FROM ${base}`, "COPY main.js /main.js", label, 'ENTRYPOINT ["node", "/main.js"]'];
    writeFileSync(join(folder, "Dockerfile"), `${lines.join("\n")}\n`);
    docker("build", "-q", "-t", image, folder);
    return image;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
