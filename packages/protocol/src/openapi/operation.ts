import type { z } from "zod";
import type { ProblemCode } from "../v2/problem-codes.ts";

/** One answer that is no problem. */
export interface OperationAnswer {
  readonly description: string;
  /** Null for an answer without a body. */
  readonly schema: z.ZodType | null;
  /** Default `application/json`. */
  readonly contentType?: string;
  readonly headers?: z.ZodObject;
  readonly example?: unknown;
}

/** One route of the API: what it takes, what it gives and how it refuses. Routes are served, documented, tested and called
 *  by clients from this one description. */
export interface Operation {
  /** Unique, camel case; the name of the client's call. */
  readonly id: string;
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** With parameters in braces: `/v2/tasks/{taskId}`. */
  readonly path: `/${string}`;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** Who may call it; `signed`: whoever has a URL that the server signed; `operator`: whoever has the token of the figures. */
  readonly access: "anyone" | "signed" | "user" | "admin" | "operator";
  /** Which of the caller's limits it counts against. */
  readonly counts: "creation" | "read";
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  /** Names in lower case. Unknown headers are ignored. */
  readonly headers?: z.ZodObject;
  /** A JSON body. */
  readonly body?: {
    readonly schema: z.ZodType;
    readonly examples?: Readonly<Record<string, unknown>>;
    /** It may come as `multipart/form-data` too: this part is the JSON, every other part a file. */
    readonly multipartName?: string;
  };
  /** A body of bytes instead, by the content types that are read. */
  readonly rawBody?: readonly string[];
  readonly answers: Readonly<Record<number, OperationAnswer>>;
  /** Beside those that every route may give. */
  readonly problems: readonly ProblemCode[];
}

/** A schema's parsed value; undefined where there is none. */
type Parsed<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;
type BodyOf<Op> = Op extends { readonly body: { readonly schema: infer Schema } } ? Schema : undefined;
type Part<Op, Name extends string> = Op extends { readonly [Key in Name]: infer Schema } ? Schema : undefined;

/** What a handler gets of a request, parsed. */
export interface OperationRequest<Op extends Operation> {
  readonly params: Parsed<Part<Op, "params">>;
  readonly query: Parsed<Part<Op, "query">>;
  readonly headers: Parsed<Part<Op, "headers">>;
  readonly body: Parsed<BodyOf<Op>>;
}

/** An answer by its status, its body as the schema describes it. */
export type OperationResult<Op extends Operation> = {
  [Status in keyof Op["answers"] & number]: {
    readonly status: Status;
    readonly body: Op["answers"][Status]["schema"] extends z.ZodType ? z.input<Op["answers"][Status]["schema"]> : null;
    readonly headers?: Readonly<Record<string, string>>;
  };
}[keyof Op["answers"] & number];
