import { readFileSync } from "node:fs";
import { createScalerClient, type ScalerClient } from "@genai/protocol/scaler";
import { ChannelCredentials, Metadata } from "@grpc/grpc-js";
import type { CliContext } from "../cli-context.ts";
import { CliError } from "../cli-error.ts";
import type { Settings } from "../settings.ts";

export interface ScalerConnection extends Disposable {
  readonly client: ScalerClient;
  readonly metadata: Metadata;
  readonly address: string;
  /** Aborted by Ctrl-C: cancels the calls under way. */
  readonly signal: AbortSignal;
}

/** A client of the configured scaler. It connects with its first call. */
export function connectScaler(settings: Settings, { signal }: CliContext): ScalerConnection {
  const metadata = new Metadata();
  if (settings.scalerToken !== undefined) metadata.set("authorization", `Bearer ${settings.scalerToken}`);
  const client = createScalerClient(settings.scaler, credentialsOf(settings));
  return { client, metadata, address: settings.scaler, signal, [Symbol.dispose]: () => client.close() };
}

function credentialsOf({ scalerCa, scalerCert, scalerKey }: Settings): ChannelCredentials {
  if ((scalerCert === undefined) !== (scalerKey === undefined)) {
    throw new CliError("usage", "--scaler-cert and --scaler-key go together; give both.");
  }
  if (scalerCa === undefined) {
    if (scalerCert !== undefined) throw new CliError("usage", "--scaler-cert needs --scaler-ca beside it.");
    return ChannelCredentials.createInsecure();
  }
  const [ca, key, cert] = [scalerCa, scalerKey, scalerCert].map((path) => (path === undefined ? null : readPem(path)));
  return ChannelCredentials.createSsl(ca, key, cert);
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new CliError("usage", `${path} can't be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}
