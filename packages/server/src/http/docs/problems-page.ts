import { PROBLEMS } from "@genai/protocol";

/** The page that explains every problem code; each has an anchor of its own name. */
export function problemsPage(): string {
  const rows = Object.entries(PROBLEMS).map(
    ([code, { status, title }]) =>
      `<tr id="${code}"><td><a href="#${code}"><code>${code}</code></a></td><td>${status}</td><td>${title}</td></tr>`,
  );
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>genai API: problems</title>
    <link rel="icon" href="/docs/assets/favicon-32x32.png">
    <style>
      body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
      table { border-collapse: collapse; width: 100%; }
      th, td { text-align: left; padding: 0.4rem 0.8rem; border-bottom: 1px solid #8884; vertical-align: top; }
      tr:target { background: #fd66; }
    </style>
  </head>
  <body>
    <h1>Problems</h1>
    <p>Every refusal of <a href="/docs">the API</a> outside of v1 is a problem document (RFC 9457) whose
    <code>code</code> is one of these. Codes are stable; sentences are for people.</p>
    <table>
      <thead><tr><th>code</th><th>status</th><th>meaning</th></tr></thead>
      <tbody>
${rows.join("\n")}
      </tbody>
    </table>
  </body>
</html>
`;
}
