import { fileURLToPath } from "node:url";

const packages = new URL("../../../../", import.meta.url);

/** The built program of a package, as it is shipped. */
export function programOf(name: "server" | "node" | "scaler"): string {
  return fileURLToPath(new URL(`${name}/dist/main.js`, packages));
}

/** What runs the node package's stand-in for ComfyUI, which is no program that we ship: it is run unbuilt. */
export function comfyUiStandIn(port: number): readonly string[] {
  const hooks = new URL("../.ci/typescript-hooks.js", packages);
  return [
    "--import",
    hooks.href,
    fileURLToPath(new URL("node/tests/support/comfy-ui-process.ts", packages)),
    String(port),
  ];
}
