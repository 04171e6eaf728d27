/** Makes a base image out of this machine's own Node and the libraries that it needs, for engines that no registry can be reached from.
 *  It has no shell: what builds on it copies files and nothing else. Usage: `node docker/make-base-image.js [name]`; prints the name. An image that is
 *  there already is left as it is: its name carries the version of Node. */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const image = process.argv[2] ?? `genai-local/node:${process.version.slice(1)}`;
if (spawnSync("docker", ["image", "inspect", image], { stdio: "ignore" }).status !== 0) makeBase();
process.stdout.write(`${image}\n`);

function makeBase() {
  const folder = mkdtempSync(join(tmpdir(), "genai-base-"));
  try {
    const libraries = execFileSync("ldd", [process.execPath], { encoding: "utf8" }).matchAll(/(\/\S+) \(0x/g);
    for (const [, path] of libraries) put(folder, path, realpathSync(path));
    // Some engines resolve names through these, which no program links to by name.
    for (const path of ["/lib/x86_64-linux-gnu/libnss_dns.so.2", "/lib/x86_64-linux-gnu/libnss_files.so.2"]) {
      if (existsSync(path)) put(folder, path, realpathSync(path));
    }
    put(folder, "/usr/bin/node", process.execPath);
    mkdirSync(join(folder, "etc"), { recursive: true });
    writeFileSync(join(folder, "etc/passwd"), "root:x:0:0:root:/:/none\n");
    mkdirSync(join(folder, "tmp"), { mode: 0o1777 });
    const tar = execFileSync("tar", ["--owner=0", "--group=0", "-C", folder, "-c", "."], { maxBuffer: 1024 ** 3 });
    execFileSync("docker", ["import", "--change", "ENV PATH=/usr/bin", "-", image], {
      input: tar,
      stdio: ["pipe", "ignore", "inherit"],
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function put(folder, path, source) {
  mkdirSync(join(folder, dirname(path)), { recursive: true });
  cpSync(source, join(folder, path));
}
