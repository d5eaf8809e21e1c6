// @ts-check
// Both servers and a browser, for tests: free ports, a temporary folder, nothing left behind.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as pause } from "node:timers/promises";

import { chromium } from "playwright-core";

import { createAuth } from "../auth.mjs";
import { startServer } from "../server.mjs";

const TASK_API = process.env.TASK_API_BIN ?? fileURLToPath(new URL("../../../../target/debug/task-api", import.meta.url));
const CHROMIUM = process.env.CHROMIUM_BIN ?? "/usr/bin/chromium";
const AXE = readFileSync(new URL(import.meta.resolve("axe-core/axe.min.js")), "utf8");

export const launchBrowser = () =>
  chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync",
    ],
  });

/** @typedef {Awaited<ReturnType<typeof aStage>>} Stage */

/**
 * @param {import("node:test").TestContext} t The test after which all of it is taken down.
 * @param {object} options
 * @param {import("playwright-core").Browser} options.browser
 * @param {Parameters<typeof createAuth>[0]["tokens"]} [options.tokens]
 * @param {Record<string, string>} [options.settings] More settings of the API.
 */
export async function aStage(t, { browser, tokens, settings }) {
  const folder = await mkdtemp(join(tmpdir(), "task-api-web-"));
  t.after(() => rm(folder, { recursive: true }));
  const url = `http://localhost:${await freePort()}`;
  const apiUrl = `http://localhost:${await freePort()}`;

  const auth = await createAuth({ url, secret: randomBytes(32).toString("base64url"), file: join(folder, "users.db"), tokens });
  const server = await startServer({ auth, url, apiUrl });
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });

  const env = {
    PORT: new URL(apiUrl).port,
    DATABASE_URL: `sqlite:${join(folder, "tasks.db")}`,
    BETTER_AUTH_URL: url,
    CORS_ALLOWED_ORIGINS: url,
    LOG_LEVEL: "error",
    ...settings,
  };
  let stopApi = await startApi(apiUrl, env, folder);
  t.after(() => stopApi());

  return {
    auth,
    url,
    apiUrl,
    async restartApi() {
      await stopApi();
      stopApi = await startApi(apiUrl, env, folder);
    },
    /**
     * The page, in a browser profile of its own.
     *
     * @param {import("playwright-core").BrowserContextOptions} [options]
     */
    async aPage(options) {
      const context = await browser.newContext({ locale: "en-GB", reducedMotion: "reduce", ...options });
      t.after(() => context.close());
      const page = await context.newPage();
      page.setDefaultTimeout(30_000);
      await page.goto(url);
      return page;
    },
    /**
     * Calls of the API as the user of a page, past the page.
     *
     * @param {import("playwright-core").Page} page
     */
    async callsOf(page) {
      const answer = await page.request.get(`${url}/api/auth/token`);
      const { token } = await answer.json();
      const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
      return {
        token,
        /**
         * @param {string} method
         * @param {string} path
         * @param {object} [body]
         */
        call: (method, path, body) => fetch(`${apiUrl}${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) }),
      };
    },
  };
}

/** @returns {Promise<number>} */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  server.close();
  await once(server, "close");
  return port;
}

/**
 * @param {string} url
 * @param {Record<string, string>} env
 * @param {string} cwd
 * @returns {Promise<() => Promise<void>>} what stops it
 */
async function startApi(url, env, cwd) {
  const api = spawn(TASK_API, { cwd, env, stdio: ["ignore", "inherit", "inherit"] });
  const ended = once(api, "close");
  const deadline = Date.now() + 30_000;
  for (;;) {
    if (api.exitCode !== null) throw new Error(`The API has ended with ${api.exitCode}.`);
    if (Date.now() > deadline) throw new Error(`The API does not answer at ${url}.`);
    const answer = await fetch(`${url}/readyz`).catch(() => null);
    if (answer?.ok) break;
    await pause(50);
  }
  return async () => {
    api.kill("SIGTERM");
    await ended;
  };
}

/**
 * What axe finds wrong with the page as it is shown, in words.
 *
 * @param {import("playwright-core").Page} page
 * @returns {Promise<string[]>}
 */
export async function barriers(page) {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    // @ts-expect-error axe has just been put there
    const { violations } = await globalThis.axe.run();
    return violations.map((/** @type {any} */ { id, help, nodes }) => `${id}: ${help} (${nodes.map((/** @type {any} */ node) => node.html).join(", ")})`);
  });
}
