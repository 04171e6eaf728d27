import type { z } from "zod";
import type { Operation } from "../openapi/operation.ts";

/** Requires `Name` where the operation has it. */
type Required<Op, Name extends string, Key extends string = Name> = Op extends {
  readonly [N in Name]: infer Schema extends z.ZodType;
}
  ? { readonly [K in Key]: z.input<Schema> }
  : unknown;
/** Allows `Name` where the operation has it. */
type Allowed<Op, Name extends string> = Op extends { readonly [N in Name]: infer Schema extends z.ZodType }
  ? { readonly [N in Name]?: z.input<Schema> }
  : unknown;
type Body<Op> = Op extends { readonly body: infer Described } ? Required<Described, "schema", "body"> : unknown;
type Files<Op> = Op extends { readonly body: { readonly multipartName: string } }
  ? {
      /** Files beside the body, by the names that it gives them as `part`. */
      readonly files?: Readonly<Record<string, Blob>>;
    }
  : unknown;
type Bytes<Op> = Op extends { readonly rawBody: readonly string[] }
  ? { readonly bytes: Uint8Array<ArrayBuffer> | Blob; readonly contentType?: string }
  : unknown;

/** What a call of an operation is given. */
export type CallOf<Op extends Operation> = Required<Op, "params"> &
  Allowed<Op, "query"> &
  Allowed<Op, "headers"> &
  Body<Op> &
  Files<Op> &
  Bytes<Op> & {
    readonly signal?: AbortSignal;
    /** For the head of the answer, in milliseconds. Default: the client's. A `Prefer: wait` needs more than it waits. */
    readonly timeoutMs?: number;
  };

/** What comes of it: an answer by its status. A refusal is thrown, as `ApiProblem`. */
export type ResultOf<Op extends Operation> = {
  [Status in keyof Op["answers"] & number]: {
    readonly status: Status;
    readonly body: Op["answers"][Status]["schema"] extends z.ZodType ? z.output<Op["answers"][Status]["schema"]> : null;
    readonly headers: Headers;
  };
}[keyof Op["answers"] & number];

/** The same without its types, as the sender reads it. */
export interface AnyCall {
  readonly params?: Readonly<Record<string, unknown>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
  readonly files?: Readonly<Record<string, Blob>>;
  readonly bytes?: Uint8Array<ArrayBuffer> | Blob;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}
