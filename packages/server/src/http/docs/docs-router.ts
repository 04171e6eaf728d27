import { createRequire } from "node:module";
import { dirname } from "node:path";
import { openApiDocument } from "@genai/protocol";
import express, { type RequestHandler, type Router } from "express";
import { baseUrl } from "../base-url.ts";
import type { HttpAppOptions } from "../http-options.ts";
import { problemsPage } from "./problems-page.ts";

/** The files of swagger-ui-dist that the page needs; nothing else of it is served. */
const ASSETS: Readonly<Record<string, string>> = {
  "swagger-ui.css": "text/css",
  "swagger-ui-bundle.js": "text/javascript",
  "favicon-32x32.png": "image/png",
};

/** Everything comes from this server; swagger-ui sets styles of its own and draws with data URLs. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>genai API</title>
    <link rel="icon" href="/docs/assets/favicon-32x32.png">
    <link rel="stylesheet" href="/docs/assets/swagger-ui.css">
  </head>
  <body>
    <div id="page"></div>
    <script src="/docs/assets/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;

const START = `SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#page",
  deepLinking: true,
  tryItOutEnabled: true,
  persistAuthorization: false,
  validatorUrl: null,
});
`;

/** `/openapi.json`, the page at `/docs` that shows it without any network, and `/docs/problems`. */
export function docsRouter({ settings, version }: Pick<HttpAppOptions, "settings" | "version">): Router {
  const router = express.Router();
  const folder = dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));
  const policy: RequestHandler = (_request, response, next) => {
    response.set({
      "Content-Security-Policy": POLICY,
      "X-Content-Type-Options": "nosniff",
      "Referrer-Policy": "no-referrer",
    });
    next();
  };

  // Made once, when it is first asked for: that takes a good part of a second, and only the server's address differs.
  let rest: string | null = null;
  router.get("/openapi.json", (request, response) => {
    const serverUrl = baseUrl(request, settings.publicUrl);
    if (rest === null) {
      const { servers: _servers, ...document } = openApiDocument({ version, serverUrl });
      rest = JSON.stringify(document).slice(1);
    }
    const servers = JSON.stringify([{ url: serverUrl }]);
    response.type("json").send(`{"servers":${servers},${rest}`);
  });
  // Who opens the server in a browser wants to know what it is.
  router.get("/", (_request, response) => {
    response.redirect("/docs");
  });
  router.use("/docs", policy);
  router.get("/docs", (_request, response) => {
    response.type("html").send(PAGE);
  });
  router.get("/docs/start.js", (_request, response) => {
    response.type("text/javascript").send(START);
  });
  router.get("/docs/problems", (_request, response) => {
    response.type("html").send(problemsPage());
  });
  router.get("/docs/assets/:name", (request, response, next) => {
    const { name } = request.params;
    const type = Object.hasOwn(ASSETS, name) ? ASSETS[name] : undefined;
    if (type === undefined) {
      next();
      return;
    }
    response.type(type).set("Cache-Control", "public, max-age=86400").sendFile(name, { root: folder });
  });
  return router;
}
