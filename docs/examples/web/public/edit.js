// @ts-check
// Editing one task, and what to do when somebody else has changed it meanwhile.
import { ProblemError } from "task-api-client";

import { choose } from "./conflict.js";
import { clearErrors, find, onSubmit, values } from "./forms.js";
import { announce } from "./status.js";
import { changeTask, readTask } from "./tasks-api.js";

/** @import { Status, Task } from "task-api-client" */
/** @import { Content } from "./conflict.js" */

/**
 * @typedef {object} Editing
 * @property {Task} task As the user sees it.
 * @property {Content} before What the fields held at first.
 * @property {(task: Task | null) => void} done Takes the task as it is in the end; `null` if it has been deleted meanwhile.
 */

/** @type {HTMLDialogElement} */
const dialog = find(document, "#edit");
/** @type {HTMLFormElement} */
const form = find(dialog, "form");
/** @type {Editing} */
let editing;

/**
 * @param {Task} task
 * @param {Editing["done"]} done
 */
export function editTask(task, done) {
  clearErrors(form);
  for (const name of /** @type {const} */ (["title", "description", "status"])) {
    /** @type {HTMLInputElement} */
    const field = find(form, `[name=${name}]`);
    field.value = task[name] ?? "";
  }
  editing = { task, before: content(), done };
  dialog.showModal();
}

/** @returns {Content} What the fields hold now. */
function content() {
  const { title, description, status } = values(form);
  return { title, description: description || null, status: /** @type {Status} */ (status) };
}

onSubmit(form, async () => {
  const { task, before } = editing;
  const mine = content();
  // Only what the user has touched is sent: what is not sent stays as it is.
  const touched = Object.entries(mine).filter(([name, value]) => value !== before[/** @type {keyof Content} */ (name)]);
  if (touched.length === 0) dialog.close();
  else await save(editing, mine, Object.fromEntries(touched), task.version);
});

/**
 * @param {Editing} edited
 * @param {Content} mine What the user wants the task to be.
 * @param {Partial<Content>} change What of it is sent.
 * @param {number} version The version that the user has seen.
 * @returns {Promise<void>}
 */
async function save(edited, mine, change, version) {
  const { id } = edited.task;
  const saved = await unless(412, unless(404, changeTask(id, change, version), null), "conflict");
  if (saved !== "conflict") return finish(edited, saved, "Saved");

  const theirs = await unless(404, readTask(id), null);
  // If both are the same, it was this very change, and its answer got lost.
  if (!theirs || isSame(mine, theirs)) return finish(edited, theirs, "Saved");
  const choice = await choose(mine, theirs);
  if (choice === "theirs") finish(edited, theirs, "Kept the other version of");
  if (choice === "mine") await save(edited, mine, mine, theirs.version);
}

/**
 * @param {Editing} edited
 * @param {Task | null} task
 * @param {string} what What has happened to it.
 */
function finish(edited, task, what) {
  if (edited === editing) dialog.close();
  if (task) announce(`${what} “${task.title}”.`);
  edited.done(task);
}

/**
 * What a call has answered, or something instead if it has failed with a certain status.
 *
 * @template Answer
 * @template {string | null} Instead
 * @param {number} status
 * @param {Promise<Answer>} answer
 * @param {Instead} instead
 * @returns {Promise<Answer | Instead>}
 */
async function unless(status, answer, instead) {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ProblemError && error.status === status) return instead;
    throw error;
  }
}

/**
 * @param {Content} one
 * @param {Content} other
 */
function isSame(one, other) {
  return one.title === other.title && one.description === other.description && one.status === other.status;
}
