// @ts-check
// `npm start`: the Task API and the server of the page, both on this machine, until Ctrl+C.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { createAuth } from "./auth.mjs";
import { startServer } from "./server.mjs";

const { PORT = "3000", API_PORT = "8000", TASK_API_BIN } = process.env;
const url = `http://localhost:${PORT}`;
const apiUrl = `http://localhost:${API_PORT}`;
const data = fileURLToPath(new URL(".data/", import.meta.url));

mkdirSync(data, { recursive: true, mode: 0o700 });
const auth = await createAuth({ url, secret: secret(), file: `${data}users.db` });
const server = await startServer({ auth, url, apiUrl });

const [command, ...args] = TASK_API_BIN ? [TASK_API_BIN] : ["cargo", "run"];
const api = spawn(command, args, {
  cwd: fileURLToPath(new URL("../../..", import.meta.url)),
  stdio: "inherit",
  env: {
    ...process.env,
    PORT: API_PORT,
    DATABASE_URL: `sqlite:${data}tasks.db`,
    BETTER_AUTH_URL: url,
    CORS_ALLOWED_ORIGINS: url,
    LOG_FORMAT: "text",
  },
});
api.once("spawn", () => console.log(`The page: ${url} (as soon as the API listens on ${apiUrl})`));
api.once("error", ({ message }) => console.error(`The API did not start: ${message}`));
api.once("close", (code) => {
  process.exitCode = code ?? 1;
  server.close();
  server.closeAllConnections();
});
process.on("SIGTERM", () => api.kill());
// A terminal sends Ctrl+C to the API as well; this process ends after it.
process.on("SIGINT", () => {});

/** Made once, so that sessions and keys outlive a restart. */
function secret() {
  const file = `${data}secret`;
  if (!existsSync(file)) writeFileSync(file, randomBytes(32).toString("base64url"), { mode: 0o600 });
  return readFileSync(file, "utf8");
}
