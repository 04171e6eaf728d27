/** Writes what `packages/protocol` derives from `scaler.proto`: its TypeScript types, and the proto itself as JSON so that programs need
 *  no file beside them at run time. Usage: `node protos/generate.js [folder]`, by default the folder that is committed. */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const protos = dirname(fileURLToPath(import.meta.url));
const outDir = resolve(process.argv[2] ?? join(protos, "../packages/protocol/src/generated/scaler"));
const fromProtocol = createRequire(join(protos, "../packages/protocol/package.json"));
const loaderMain = fromProtocol.resolve("@grpc/proto-loader");
const protobuf = createRequire(loaderMain)("protobufjs");

rmSync(outDir, { recursive: true, force: true });
mkdirSync(outDir, { recursive: true });
execFileSync(
  process.execPath,
  [
    join(dirname(loaderMain), "../bin/proto-loader-gen-types.js"),
    "--longs=String",
    "--enums=String",
    "--defaults",
    "--oneofs",
    "--grpcLib=@grpc/grpc-js",
    "--importFileExtension=.ts",
    `--outDir=${outDir}`,
    "scaler.proto",
  ],
  { cwd: protos, stdio: ["ignore", "ignore", "inherit"] },
);
const descriptor = protobuf.loadSync(join(protos, "scaler.proto")).toJSON({ keepComments: false });
writeFileSync(
  join(outDir, "descriptor.ts"),
  `// Made by protos/generate.js from protos/scaler.proto.\nexport const descriptor = ${JSON.stringify(descriptor, null, 2)} as const;\n`,
);
