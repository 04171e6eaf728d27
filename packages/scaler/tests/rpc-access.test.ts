import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, type IncomingHttpHeaders } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ChannelCredentials, Client, status } from "@grpc/grpc-js";
import { expect, test } from "@jest/globals";
import { service as healthService } from "grpc-health-check";
import { answerOf, setupScaler } from "./support/scaler-bundle.ts";

test("check 38: with a token, no call comes in without it", async () => {
  const token = "0123456789abcdef";
  await using open = await setupScaler({ token, shown: token });
  await open.list();
  for (const shown of [undefined, "", "wrong", `${token}x`]) {
    await using bundle = await setupScaler({ token, ...(shown !== undefined && { shown }) });
    await expect(bundle.list()).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    await expect(bundle.create()).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    await expect(bundle.remove("m0000001")).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    const watching = async () => {
      for await (const _ of bundle.client.watchNodes({}));
    };
    await expect(watching()).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
  }
});

test("check 38: a stranger is turned away by his headers, before a message of his is held", async () => {
  await using bundle = await setupScaler({ token: "0123456789abcdef" });
  const session = connect(`http://127.0.0.1:${bundle.port}`);
  const path = "/scaler_grpc.Scaler/CreateNode";
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {});
  // The first bytes of a message of 4 MiB that never ends.
  stream.write(Buffer.from([0, 0, 0x3f, 0xff, 0xff, 1, 2, 3]));
  const [headers] = (await once(stream, "response")) as [IncomingHttpHeaders];
  expect(headers["grpc-status"]).toBe(String(status.UNAUTHENTICATED));
  session.destroy();
});

test("check 38: with a client authority, only clients with its certificate come in, and nobody in plain text", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tls-"));
  try {
    const pem = certificates(folder);
    const tls = { cert: pem("server.crt"), key: pem("server.key"), clientCa: pem("ca.crt") };
    const withCert = ChannelCredentials.createSsl(pem("ca.crt"), pem("client.key"), pem("client.crt"));
    await using bundle = await setupScaler({ tls, credentials: withCert });
    await bundle.create();
    const without = [ChannelCredentials.createSsl(pem("ca.crt")), ChannelCredentials.createInsecure()];
    for (const credentials of without) {
      await using stranger = await setupScaler({ tls, credentials });
      await expect(stranger.list()).rejects.toMatchObject({ code: status.UNAVAILABLE });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 30_000);

test("check 38: a request over 4 MiB is refused", async () => {
  await using bundle = await setupScaler();
  const huge = bundle.create({ provScript: "x".repeat(5 * 1024 ** 2) });
  await expect(huge).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  await bundle.create();
});

test("health is told in gRPC's standard way, to anybody", async () => {
  await using bundle = await setupScaler({ token: "0123456789abcdef" });
  const client = new Client(`127.0.0.1:${bundle.port}`, ChannelCredentials.createInsecure());
  try {
    const { Check } = healthService;
    if (!Check) throw new Error("The health service has no Check.");
    const answer = await answerOf<{ status: string }>((done) =>
      client.makeUnaryRequest(
        Check.path,
        Check.requestSerialize,
        Check.responseDeserialize as (bytes: Buffer) => { status: string },
        { service: "scaler_grpc.Scaler" },
        done,
      ),
    );
    expect(answer.status).toBe("SERVING");
  } finally {
    client.close();
  }
});

test.each([
  ["127.0.0.1:0", true],
  ["0.0.0.0:0", false],
])("check 38: on %s reflection is there: %s", async (address, there) => {
  await using bundle = await setupScaler({ address });
  const client = new Client(`127.0.0.1:${bundle.port}`, ChannelCredentials.createInsecure());
  try {
    const call = client.makeBidiStreamRequest(
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
    );
    // ListServices, as the protocol's seventh field with an empty string.
    call.end(Buffer.from([0x3a, 0x00]));
    const names = async () => {
      let text = "";
      for await (const answer of call) text += answer.toString("latin1");
      return text;
    };
    if (there) expect(await names()).toContain("scaler_grpc.Scaler");
    else await expect(names()).rejects.toMatchObject({ code: status.UNIMPLEMENTED });
  } finally {
    client.close();
  }
});

/** An authority, a server of 127.0.0.1 and a client, made by openssl for one test. */
function certificates(folder: string): (name: string) => Buffer {
  const openssl = (...args: readonly string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
  openssl("req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=test authority");
  writeFileSync(join(folder, "names"), "subjectAltName=IP:127.0.0.1\n");
  for (const name of ["server", "client"]) {
    openssl("req", ...newKey.slice(0, 5), "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    const signed = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1", "-extfile", "names"];
    openssl("x509", "-req", "-in", `${name}.csr`, "-out", `${name}.crt`, ...signed);
  }
  return (name) => readFileSync(join(folder, name));
}
