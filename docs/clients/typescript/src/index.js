// @ts-check
/**
 * A client for the Task API, typed by its OpenAPI document. Plain ECMAScript: browsers and Node run this file as it is;
 * `index.d.ts` is made from its comments, `schema.d.ts` from the document (`npm run generate`).
 */
import createClient from "openapi-fetch";

/** @import { Client } from "openapi-fetch" */
/** @import { components, operations, paths } from "./schema.d.ts" */

/** @typedef {components["schemas"]["Task"]} Task */
/** @typedef {components["schemas"]["NewTask"]} NewTask */
/** @typedef {components["schemas"]["TaskPatch"]} TaskChange */
/** @typedef {components["schemas"]["Status"]} Status */
/** @typedef {components["schemas"]["Problem"]} Problem */
/** @typedef {components["schemas"]["FieldError"]} FieldError */
/** @typedef {NonNullable<operations["listTasks"]["parameters"]["query"]>} ListQuery */

/**
 * @typedef {Client<paths>} TaskApi
 * The calls of openapi-fetch: `api.GET("/api/tasks", { params: { query: { limit: 20 } } })`.
 */

/**
 * @callback GetToken
 * @param {string} [refused] The token that the API has just refused. Without it, any token that is still good will do.
 * @returns {Promise<string | null>} `null` when nobody is signed in.
 */

/**
 * @typedef {object} TaskApiOptions
 * @property {string} baseUrl Where the API is, without `/api`.
 * @property {GetToken} getToken Asked before every attempt, so it should remember: see `shareToken`.
 * @property {(request: Request) => Promise<Response>} [fetch] What sends a request.
 * @property {(seconds: number, signal: AbortSignal) => Promise<void>} [wait] What waits between two attempts.
 */

/** How often a request is sent at the most before its failure is the caller's. */
const ATTEMPTS = 4;
/** A longer `Retry-After` than this many seconds is the caller's to decide about. */
const LONGEST_WAIT = 10;

/**
 * Calls of the API. Each carries the token of `getToken`, and is sent again
 *
 * - once after a 401, with another token; a 401 that reaches the caller means that somebody has to sign in;
 * - after a 429, and after a 503 or a failure of the network if a repetition does no harm: `Retry-After` seconds later, or 0.5, 1 and
 *   2 seconds if the answer does not say. A POST does no harm with an `Idempotency-Key` only.
 *
 * If the answer to a change got lost, its repetition meets the change: a DELETE then answers 404, and a change with `If-Match` 412.
 *
 * @param {TaskApiOptions} options
 * @returns {TaskApi}
 */
export function createTaskApi({ baseUrl, getToken, fetch = (request) => globalThis.fetch(request), wait = pause }) {
  /** @param {Request} request */
  async function send(request) {
    /** @type {string | undefined} */
    let refused;
    for (let attempt = 1; ; attempt += 1) {
      const token = await getToken(refused);
      const outcome = await fetch(withToken(request, token)).catch(networkFailure);
      const isRefused = outcome instanceof Response && outcome.status === 401;
      if (isRefused && token && !refused) {
        refused = token;
        continue;
      }
      const seconds = attempt < ATTEMPTS && !request.signal.aborted ? secondsToWait(request, outcome, attempt) : undefined;
      if (seconds !== undefined) {
        await wait(seconds, request.signal);
        continue;
      }
      if (outcome instanceof Response) return outcome;
      throw outcome;
    }
  }

  return createClient({ baseUrl, fetch: send, querySerializer: { array: { style: "form", explode: false } } });
}

/**
 * @param {Request} request
 * @param {string | null} token
 */
function withToken(request, token) {
  const copy = request.clone();
  if (token) copy.headers.set("Authorization", `Bearer ${token}`);
  return copy;
}

/** @param {unknown} error */
function networkFailure(error) {
  return error instanceof Error ? error : new Error(String(error));
}

/**
 * How long to wait before the next attempt; `undefined` if this outcome is the caller's.
 *
 * @param {Request} request
 * @param {Response | Error} outcome
 * @param {number} attempt
 */
function secondsToWait(request, outcome, attempt) {
  const backOff = 2 ** (attempt - 2);
  if (outcome instanceof Error) return isRepeatable(request) ? backOff : undefined;
  if (outcome.status !== 429 && !(outcome.status === 503 && isRepeatable(request))) return undefined;
  const asked = outcome.headers.get("Retry-After");
  const seconds = asked !== null && /^\d+$/.test(asked) ? Number(asked) : backOff;
  return seconds <= LONGEST_WAIT ? seconds : undefined;
}

/** @param {Request} request */
function isRepeatable(request) {
  return request.method !== "POST" || request.headers.has("Idempotency-Key");
}

/**
 * @param {number} seconds
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, seconds * 1000);
    signal.addEventListener("abort", stop, { once: true });
  });
}

/**
 * One token for all calls, fetched when it is needed and again `margin` seconds before it expires. It is kept in memory alone. Calls that
 * need a token at the same time share one fetch. The life of a token is counted from when it came, so a wrong clock does no harm.
 *
 * It stays with the user of its first token: if somebody else is signed in later (in another tab, say), there is no token any more, so
 * that nothing that one user began is done as another. Make another one for another user.
 *
 * @param {() => Promise<string | null>} fetchToken Asks the issuer for a JSON Web Token; `null` when nobody is signed in.
 * @param {{ margin?: number, now?: () => number }} [options] Seconds; a clock in milliseconds.
 * @returns {GetToken}
 */
export function shareToken(fetchToken, { margin = 60, now = () => performance.now() } = {}) {
  /** @type {{ token: string, user: string, goodUntil: number } | undefined} */
  let current;
  /** @type {Promise<string | null> | undefined} */
  let pending;

  async function renew() {
    const token = await fetchToken();
    if (!token) return null;
    const { user, life } = readToken(token);
    if (current && current.user !== user) return null;
    current = { token, user, goodUntil: now() + (life - margin) * 1000 };
    return token;
  }

  return async (refused) => {
    if (current && current.token !== refused && now() < current.goodUntil) return current.token;
    pending ??= renew().finally(() => (pending = undefined));
    return pending;
  };
}

/**
 * What a token says of itself: whose it is, and how many seconds it lives. Only the API verifies it.
 *
 * @param {string} token
 */
function readToken(token) {
  const [, payload = ""] = token.split(".");
  const { sub, iat = Date.now() / 1000, exp } = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
  return { user: sub, life: exp - iat };
}

/** An answer that is no success. */
export class ProblemError extends Error {
  /**
   * @param {Response} response
   * @param {unknown} body
   */
  constructor(response, body) {
    const problem = isProblem(body) ? body : undefined;
    super(problem?.detail ?? `The answer was ${response.status}.`);
    this.name = "ProblemError";
    this.status = response.status;
    /**
     * Absent if it was not the API that answered, but a proxy in front of it, say.
     * @type {Problem | undefined}
     */
    this.problem = problem;
  }
}

/**
 * @param {unknown} body
 * @returns {body is Problem}
 */
function isProblem(body) {
  return typeof body === "object" && body !== null && "code" in body && "detail" in body;
}

/**
 * The data of an answer. A failure is thrown.
 *
 * @template Data
 * @param {{ data?: Data, error?: unknown, response: Response }} result What a call has answered.
 * @returns {Data}
 * @throws {ProblemError}
 */
export function unwrap({ data, error, response }) {
  if (!response.ok) throw new ProblemError(response, error);
  return /** @type {Data} */ (data);
}

/**
 * What to show at which field: `{ title: "String should have at least 1 character" }`.
 *
 * @param {Problem | undefined} problem
 * @param {(error: FieldError) => string} [text] Other words than those of the API, chosen by `type` and `ctx`.
 * @returns {Record<string, string>} Empty if no field is wrong.
 */
export function fieldErrors(problem, text = ({ msg }) => msg) {
  return Object.fromEntries((problem?.errors ?? []).map((error) => [error.loc.at(-1), text(error)]));
}

/**
 * All tasks, page after page; the next page is fetched when its first task is asked for.
 *
 * @param {TaskApi} api
 * @param {ListQuery} [query] `limit` is the most that a page holds.
 * @returns {AsyncGenerator<Task, void, undefined>}
 * @throws {ProblemError}
 */
export async function* eachTask(api, query = {}) {
  /** @type {string | undefined} */
  let cursor = query.cursor;
  do {
    const page = await api.GET("/api/tasks", { params: { query: { ...query, cursor } } });
    yield* unwrap(page);
    cursor = page.response.headers.get("X-Next-Cursor") ?? undefined;
  } while (cursor);
}
