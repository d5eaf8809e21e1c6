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
export function createTaskApi({ baseUrl, getToken, fetch, wait }: TaskApiOptions): TaskApi;
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
export function shareToken(fetchToken: () => Promise<string | null>, { margin, now }?: {
    margin?: number;
    now?: () => number;
}): GetToken;
/**
 * The data of an answer. A failure is thrown.
 *
 * @template Data
 * @param {{ data?: Data, error?: unknown, response: Response }} result What a call has answered.
 * @returns {Data}
 * @throws {ProblemError}
 */
export function unwrap<Data>({ data, error, response }: {
    data?: Data;
    error?: unknown;
    response: Response;
}): Data;
/**
 * What to show at which field: `{ title: "String should have at least 1 character" }`.
 *
 * @param {Problem | undefined} problem
 * @param {(error: FieldError) => string} [text] Other words than those of the API, chosen by `type` and `ctx`.
 * @returns {Record<string, string>} Empty if no field is wrong.
 */
export function fieldErrors(problem: Problem | undefined, text?: (error: FieldError) => string): Record<string, string>;
/**
 * All tasks, page after page; the next page is fetched when its first task is asked for.
 *
 * @param {TaskApi} api
 * @param {ListQuery} [query] `limit` is the most that a page holds.
 * @returns {AsyncGenerator<Task, void, undefined>}
 * @throws {ProblemError}
 */
export function eachTask(api: TaskApi, query?: ListQuery): AsyncGenerator<Task, void, undefined>;
/** An answer that is no success. */
export class ProblemError extends Error {
    /**
     * @param {Response} response
     * @param {unknown} body
     */
    constructor(response: Response, body: unknown);
    status: number;
    /**
     * Absent if it was not the API that answered, but a proxy in front of it, say.
     * @type {Problem | undefined}
     */
    problem: Problem | undefined;
}
export type Task = components["schemas"]["Task"];
export type NewTask = components["schemas"]["NewTask"];
export type TaskChange = components["schemas"]["TaskPatch"];
export type Status = components["schemas"]["Status"];
export type Problem = components["schemas"]["Problem"];
export type FieldError = components["schemas"]["FieldError"];
export type ListQuery = NonNullable<operations["listTasks"]["parameters"]["query"]>;
/**
 * The calls of openapi-fetch: `api.GET("/api/tasks", { params: { query: { limit: 20 } } })`.
 */
export type TaskApi = Client<paths>;
export type GetToken = (refused?: string | undefined) => Promise<string | null>;
export type TaskApiOptions = {
    /**
     * Where the API is, without `/api`.
     */
    baseUrl: string;
    /**
     * Asked before every attempt, so it should remember: see `shareToken`.
     */
    getToken: GetToken;
    /**
     * What sends a request.
     */
    fetch?: ((request: Request) => Promise<Response>) | undefined;
    /**
     * What waits between two attempts.
     */
    wait?: ((seconds: number, signal: AbortSignal) => Promise<void>) | undefined;
};
import type { components } from "./schema.d.ts";
import type { operations } from "./schema.d.ts";
import type { paths } from "./schema.d.ts";
import type { Client } from "openapi-fetch";
