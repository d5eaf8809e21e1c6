// @ts-check
// The list: add, tick, edit, delete, filter, load more.
import { ProblemError } from "task-api-client";

import { STATUS_NAMES } from "./conflict.js";
import { editTask } from "./edit.js";
import { clearErrors, describe, find, onSubmit, values } from "./forms.js";
import { announce, complain } from "./status.js";
import { addTask, changeTask, deleteTask, listTasks } from "./tasks-api.js";

/** @import { Status, Task } from "task-api-client" */

const section = find(document, "#tasks");
const list = find(section, "#list");
const more = find(section, "#more");
const empty = find(section, "#empty");
const failure = find(section, "#list-error");
const filter = find(section, "#filter");
/** @type {HTMLFormElement} */
const addForm = find(section, "#add");
/** @type {HTMLTemplateElement} */
const template = find(document, "#task");

/** The tasks as the page knows them, by their place in the list. @type {WeakMap<Element, Task>} */
const tasks = new WeakMap();
/** The cursor of the next page. @type {string | undefined} */
let next;
/** What the list is waiting for, to be dropped when it has to show something else. */
let loading = new AbortController();

export async function showTasks() {
  section.hidden = false;
  find(section, "h1").focus();
  await load();
}

/** @param {string} [cursor] Where the page begins that comes below the ones that are shown; without it the list begins anew. */
async function load(cursor) {
  loading.abort();
  loading = new AbortController();
  const { signal } = loading;
  const status = chosenStatus();
  failure.hidden = true;
  list.ariaBusy = "true";
  try {
    const page = await listTasks({ status, cursor }, signal);
    const items = page.tasks.map(itemOf);
    next = page.next;
    if (cursor) list.append(...items);
    else list.replaceChildren(...items);
    if (cursor) announce(`${items.length} more tasks.`);
    if (cursor) focusOn(items[0]);
  } catch (error) {
    if (signal.aborted) return;
    find(failure, "[role=alert]").textContent = describe(error);
    failure.hidden = false;
  } finally {
    if (!signal.aborted) list.ariaBusy = "false";
  }
  showWhatIsLeft();
}

function showWhatIsLeft() {
  const status = chosenStatus();
  more.hidden = !next || !failure.hidden;
  empty.hidden = list.childElementCount > 0 || !failure.hidden;
  empty.textContent = status ? `No task is “${STATUS_NAMES[status]}”.` : "Nothing to do yet. Write down your first task above.";
}

/** @returns {Status | undefined} */
function chosenStatus() {
  /** @type {HTMLInputElement} */
  const chosen = find(filter, ":checked");
  return /** @type {Status} */ (chosen.value) || undefined;
}

/** @param {string} status */
function filterBy(status) {
  /** @type {HTMLInputElement} */
  const choice = find(filter, `[value="${status}"]`);
  choice.checked = true;
}

filter.addEventListener("change", () => load());
more.addEventListener("click", () => load(next));
find(failure, "button").addEventListener("click", () => load(list.childElementCount > 0 ? next : undefined));

/** @param {Task} task */
function itemOf(task) {
  const item = /** @type {HTMLLIElement} */ (template.content.firstElementChild?.cloneNode(true));
  show(item, task);
  return item;
}

/**
 * @param {HTMLLIElement} item
 * @param {Task} task
 */
function show(item, task) {
  tasks.set(item, task);
  item.dataset.status = task.status;
  const box = boxOf(item);
  box.checked = task.status === "completed";
  box.ariaLabel = `Done: ${task.title}`;
  find(item, ".task-title").textContent = task.title;
  find(item, ".task-description").textContent = task.description;
  find(item, "[data-action=edit]").ariaLabel = `Edit ${task.title}`;
  find(item, "[data-action=delete]").ariaLabel = `Delete ${task.title}`;
  /** @type {HTMLTimeElement} */
  const time = find(item, "time");
  time.dateTime = task.updated_at;
  time.textContent = new Date(task.updated_at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/**
 * @param {HTMLLIElement} item
 * @returns {HTMLInputElement}
 */
const boxOf = (item) => find(item, "[type=checkbox]");

/** @param {Element | null | undefined} item */
function focusOn(item) {
  if (item instanceof HTMLLIElement) boxOf(item).focus();
  else find(section, "#new-title").focus();
}

/** @param {HTMLLIElement} item */
function remove(item) {
  const neighbour = item.nextElementSibling ?? item.previousElementSibling;
  item.remove();
  focusOn(neighbour);
  if (next && !neighbour) load();
  else showWhatIsLeft();
}

/** @param {HTMLLIElement} item */
function removeWhatIsGone(item) {
  announce(`“${tasks.get(item)?.title}” has been deleted in the meantime.`);
  remove(item);
}

/** The key of the task that is being added. Another attempt at the same task has the same key; another task has another one. */
let attempt = { content: "", key: "" };

onSubmit(addForm, async ({ title, description }) => {
  const content = JSON.stringify([title, description]);
  if (attempt.content !== content) attempt = { content, key: crypto.randomUUID() };
  const task = await addTask({ title, description: description || null }, attempt.key);
  attempt = { content: "", key: "" };
  // Unless the user has gone on typing.
  if (values(addForm).title === title) addForm.reset();
  find(addForm, "[name=title]").focus();
  if ((chosenStatus() ?? task.status) === task.status) {
    list.prepend(itemOf(task));
    announce(`Added “${task.title}”.`);
    showWhatIsLeft();
  } else {
    filterBy("");
    await load();
    announce(`Added “${task.title}”. All tasks are shown.`);
  }
});

list.addEventListener("change", async ({ target }) => {
  const item = itemAround(target);
  const task = item && tasks.get(item);
  if (!task) return;
  const box = boxOf(item);
  if (item.ariaBusy === "true") {
    box.checked = !box.checked;
    return;
  }
  item.ariaBusy = "true";
  try {
    show(item, await changeTask(task.id, { status: box.checked ? "completed" : "pending" }));
    announce(`“${task.title}” is ${box.checked ? "done" : "to do again"}.`);
  } catch (error) {
    if (error instanceof ProblemError && error.status === 404) return removeWhatIsGone(item);
    show(item, task);
    complain(describe(error));
  } finally {
    item.ariaBusy = "false";
  }
});

/** @param {EventTarget | null} target */
const itemAround = (target) => (target instanceof Element ? target.closest("li") : null);

list.addEventListener("click", ({ target }) => {
  const item = itemAround(target);
  const task = item && tasks.get(item);
  if (!task || !(target instanceof HTMLElement)) return;
  if (target.dataset.action === "edit") edit(item, task);
  if (target.dataset.action === "delete") askToDelete(item, task);
});

/**
 * @param {HTMLLIElement} item
 * @param {Task} task
 */
function edit(item, task) {
  editTask(task, (edited) => {
    if (edited) show(item, edited);
    else removeWhatIsGone(item);
  });
}

/** @type {HTMLDialogElement} */
const confirmation = find(document, "#confirm");
/** @type {HTMLFormElement} */
const confirmationForm = find(confirmation, "form");
/** What the user is asked about. @type {{ item: HTMLLIElement, task: Task }} */
let doomed;

/**
 * @param {HTMLLIElement} item
 * @param {Task} task
 */
function askToDelete(item, task) {
  doomed = { item, task };
  clearErrors(confirmationForm);
  find(confirmation, "#confirm-title").textContent = `“${task.title}” cannot be brought back.`;
  confirmation.showModal();
}

onSubmit(confirmationForm, async () => {
  const { item, task } = doomed;
  await deleteTask(task.id);
  confirmation.close();
  announce(`Deleted “${task.title}”.`);
  remove(item);
});

for (const button of document.querySelectorAll("[data-close]")) {
  button.addEventListener("click", () => button.closest("dialog")?.close());
}
