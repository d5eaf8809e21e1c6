// @ts-check
// What this page asks of the Task API. The token, and when to send a request again, are the client's business.
import { createTaskApi, shareToken, unwrap } from "task-api-client";

import { fetchToken } from "./session.js";

/** @import { NewTask, Status, Task, TaskChange } from "task-api-client" */

const { apiUrl } = await (await fetch("/config.json")).json();

// One token for all calls of this page, in memory alone: what is stored can be stolen later.
const api = createTaskApi({ baseUrl: apiUrl, getToken: shareToken(fetchToken) });

let refused = () => {};

/** @param {() => void} action What to do when a call is refused even with a fresh token, or for want of one. */
export function whenRefused(action) {
  refused = action;
}

/**
 * @template Data
 * @param {{ data?: Data, error?: unknown, response: Response }} answer
 */
function taken(answer) {
  if (answer.response.status === 401) refused();
  return unwrap(answer);
}

/** @param {string} id */
const ofTask = (id) => ({ path: { task_id: id } });

/**
 * @param {{ status?: Status, cursor?: string }} query
 * @param {AbortSignal} signal
 * @returns {Promise<{ tasks: Task[], next?: string }>} `next` is the cursor of the next page, if there is one.
 */
export async function listTasks({ status, cursor }, signal) {
  const query = { status: status && [status], cursor, limit: 20 };
  const answer = await api.GET("/api/tasks", { params: { query }, signal });
  return { tasks: taken(answer), next: answer.response.headers.get("X-Next-Cursor") ?? undefined };
}

/**
 * @param {NewTask} task
 * @param {string} key The same for every attempt to add this one task, so that it is added once.
 */
export async function addTask(task, key) {
  return taken(await api.POST("/api/tasks", { params: { header: { "Idempotency-Key": key } }, body: task }));
}

/** @param {string} id */
export async function readTask(id) {
  return taken(await api.GET("/api/tasks/{task_id}", { params: ofTask(id) }));
}

/**
 * @param {string} id
 * @param {TaskChange} change Only what is to change.
 * @param {number} [version] The version that the user saw: if the task is another one by now, nothing is changed and the answer is 412.
 */
export async function changeTask(id, change, version) {
  const header = version === undefined ? {} : { "If-Match": `"${version}"` };
  return taken(await api.PATCH("/api/tasks/{task_id}", { params: { ...ofTask(id), header }, body: change }));
}

/** @param {string} id What is not there any more counts as deleted: perhaps it was this very request, and its answer got lost. */
export async function deleteTask(id) {
  const answer = await api.DELETE("/api/tasks/{task_id}", { params: ofTask(id) });
  if (answer.response.status !== 404) taken(answer);
}
