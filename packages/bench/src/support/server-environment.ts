/** What a server is told that is measured or tried: where it listens and what it keeps, nobody to be asked who he is, and no limit of calls. */
export function serverEnvironment(server: {
  readonly port: number;
  readonly home: string;
  /** Null for SQLite in its home. */
  readonly databaseUrl: string | null;
}): Readonly<Record<string, string>> {
  return {
    HTTP_PORT: String(server.port),
    GENAI_HOME: server.home,
    ENFORCE_JWT_AUTH: "false",
    RATE_LIMIT: "off",
    READ_RATE_LIMIT: "off",
    ...(server.databaseUrl === null ? {} : { DATABASE_URL: server.databaseUrl }),
  };
}
