#!/usr/bin/env node
/** Asks the scaler of GRPC_SERVER_ADDR for its health and exits with 0 or 1: a container's health check. With TLS it trusts the scaler's
 *  own certificate, and shows it where clients have to show one. */
import { readFileSync } from "node:fs";
import { ChannelCredentials, Client } from "@grpc/grpc-js";
import { service } from "grpc-health-check";

const { GRPC_SERVER_ADDR = "127.0.0.1:51075", TLS_CERT, TLS_KEY, TLS_CLIENT_CA } = process.env;
const ANSWER_MS = 2_500;

const address = GRPC_SERVER_ADDR.replace(/^(?:0\.0\.0\.0|\[::\]):/, "127.0.0.1:");
const client = new Client(address, credentials(), { "grpc.ssl_target_name_override": "localhost" });
const { Check } = service;
if (!Check) throw new Error("The health service has no Check.");
client.makeUnaryRequest(
  Check.path,
  Check.requestSerialize,
  Check.responseDeserialize,
  { service: "" },
  { deadline: Date.now() + ANSWER_MS },
  (error, answer) => {
    client.close();
    process.exitCode = !error && (answer as { status?: string }).status === "SERVING" ? 0 : 1;
  },
);

function credentials(): ChannelCredentials {
  if (!TLS_CERT || !TLS_KEY) return ChannelCredentials.createInsecure();
  const cert = readFileSync(TLS_CERT);
  // It asks itself over loopback: what matters is that it answers, not whose name stands in its certificate.
  const options = { rejectUnauthorized: false, checkServerIdentity: () => undefined };
  return TLS_CLIENT_CA
    ? ChannelCredentials.createSsl(cert, readFileSync(TLS_KEY), cert, options)
    : ChannelCredentials.createSsl(cert, null, null, options);
}
