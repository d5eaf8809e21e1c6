// @ts-check
// The server of the page: static files and the routes of Better Auth, on one origin. Tasks are not its business: the page takes them from
// the Task API, which is another origin.
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";

import { toNodeHandler } from "better-auth/node";

const TYPES = /** @type {const} */ ({ ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".mjs": "text/javascript" });

const PAGE = new URL("public/", import.meta.url);

/** Every file that is served, by its path. */
const FILES = new Map(
  /** @type {[string, URL][]} */ ([
    ["/", new URL("index.html", PAGE)],
    ...readdirSync(PAGE).map((name) => [`/${name}`, new URL(name, PAGE)]),
    // What the page imports by name: see the import map in index.html.
    ["/modules/openapi-fetch.js", new URL(import.meta.resolve("openapi-fetch"))],
    ["/modules/task-api-client.js", new URL(import.meta.resolve("task-api-client"))],
  ]),
);

/**
 * Listens on the loopback address.
 *
 * @param {object} options
 * @param {Awaited<ReturnType<typeof import("./auth.mjs").createAuth>>} options.auth
 * @param {string} options.url Where browsers find this server, such as http://localhost:3000.
 * @param {string} options.apiUrl Where browsers find the Task API.
 * @returns {Promise<import("node:http").Server>}
 */
export async function startServer({ auth, url, apiUrl }) {
  const authRoutes = toNodeHandler(auth);
  const securityPolicy = await policy(apiUrl);

  const server = createServer((request, response) => {
    answer(request, response).catch((error) => {
      console.error(error);
      response.headersSent ? response.destroy() : response.writeHead(500).end();
    });
  });

  /**
   * @param {import("node:http").IncomingMessage} request
   * @param {import("node:http").ServerResponse} response
   */
  async function answer(request, response) {
    const [path = "/"] = (request.url ?? "").split("?");
    if (path.startsWith("/api/auth/")) return authRoutes(request, response);
    if (path === "/config.json") return response.setHeader("Content-Type", "application/json").end(JSON.stringify({ apiUrl }));
    const file = FILES.get(path);
    if (!file) return response.writeHead(404).end("Not found");
    const content = await readFile(file);
    const type = TYPES[/** @type {keyof typeof TYPES} */ (extname(file.pathname))];
    response.writeHead(200, {
      "Content-Type": `${type}; charset=utf-8`,
      "Content-Security-Policy": securityPolicy,
      "Cache-Control": "no-cache",
      "X-Content-Type-Options": "nosniff",
    });
    response.end(content);
  }

  return new Promise((resolve, reject) => {
    server.once("error", reject).listen(Number(new URL(url).port), "127.0.0.1", () => resolve(server));
  });
}

/**
 * A page that holds tokens runs no script but its own, and talks to nobody but its own server and the API.
 *
 * @param {string} apiUrl
 */
async function policy(apiUrl) {
  const page = await readFile(new URL("index.html", PAGE), "utf8");
  const [, importMap = ""] = /<script type="importmap">(.*?)<\/script>/s.exec(page) ?? [];
  const hash = createHash("sha256").update(importMap).digest("base64");
  return [
    "default-src 'none'",
    `script-src 'self' 'sha256-${hash}'`,
    "style-src 'self'",
    "img-src data:",
    `connect-src 'self' ${apiUrl}`,
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
