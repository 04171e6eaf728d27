/** The store is not opened, and nothing in it was touched. The message is a whole sentence for whoever starts the server. */
export class StoreRefused extends Error {
  readonly code: "in_use" | "newer_schema" | "damaged" | "not_ours" | "not_writable" | "unreachable";

  constructor(code: StoreRefused["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StoreRefused";
    this.code = code;
  }
}
