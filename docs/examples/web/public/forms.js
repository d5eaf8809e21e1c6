// @ts-check
// What all forms have in common: they say what is wrong where it is wrong, and take one submission at a time.
import { ProblemError, fieldErrors } from "task-api-client";

import { SessionError } from "./session.js";

/** @import { FieldError } from "task-api-client" */

/**
 * @template {Element} [Type=HTMLElement]
 * @param {ParentNode} parent
 * @param {string} selector
 * @returns {Type} An element that the page is sure to have.
 */
export function find(parent, selector) {
  return /** @type {Type} */ (/** @type {unknown} */ (parent.querySelector(selector)));
}

/**
 * The values of the fields that can be sent.
 *
 * @param {HTMLFormElement} form
 * @returns {Record<string, string>}
 */
export function values(form) {
  return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]));
}

/**
 * Calls `action` when the form is submitted, never twice at once. What it throws is shown in the form until the user changes something.
 *
 * @param {HTMLFormElement} form
 * @param {(values: Record<string, string>) => Promise<void>} action
 */
export function onSubmit(form, action) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.ariaBusy === "true") return;
    form.ariaBusy = "true";
    clearErrors(form);
    try {
      await action(values(form));
    } catch (error) {
      showError(form, error);
    } finally {
      form.ariaBusy = "false";
    }
  });
  form.addEventListener("input", () => clearErrors(form));
}

/** @param {HTMLFormElement} form */
export function clearErrors(form) {
  showFieldErrors(form, {});
  find(form, "[role=alert]").textContent = "";
}

/**
 * At the fields that are wrong, and the first of them gets the focus; otherwise in the alert of the form.
 *
 * @param {HTMLFormElement} form
 * @param {unknown} error
 */
export function showError(form, error) {
  if (showFieldErrors(form, messagesOf(error))) return;
  find(form, "[role=alert]").textContent = describe(error);
}

/** @param {unknown} error */
function messagesOf(error) {
  if (error instanceof ProblemError) return fieldErrors(error.problem, inOurWords);
  return error instanceof SessionError ? error.fields : {};
}

/**
 * @param {HTMLFormElement} form
 * @param {Record<string, string>} messages by the name of the field
 * @returns {boolean} Whether there was such a field.
 */
function showFieldErrors(form, messages) {
  /** @type {HTMLElement | undefined} */
  let first;
  for (const place of form.querySelectorAll("[data-error-of]")) {
    const name = place.getAttribute("data-error-of") ?? "";
    const field = find(form, `[name="${name}"]`);
    const message = messages[name] ?? "";
    place.textContent = message;
    field.ariaInvalid = message ? "true" : null;
    if (message) first ??= field;
  }
  first?.focus();
  return first !== undefined;
}

/**
 * The messages of the API are for developers as much as for users; its types are stable, so the page has words of its own.
 *
 * @param {FieldError} error
 */
function inOurWords({ type, ctx, msg }) {
  switch (type) {
    case "missing":
    case "string_too_short":
      return "Please write something here.";
    case "string_too_long":
      return `At most ${ctx?.max_length} characters, please; these are ${ctx?.actual_length}.`;
    case "string_pattern_mismatch":
      return "There is a character here that cannot be used, perhaps a line break or a tab.";
    default:
      return msg;
  }
}

/**
 * @param {unknown} error
 * @returns {string} What went wrong, for the user.
 */
export function describe(error) {
  if (error instanceof ProblemError) {
    if (error.status === 429 || error.status === 503) return "The service is busy. Please try again in a moment.";
    const id = error.problem?.request_id;
    return error.status >= 500 && id ? `${error.message} If you report this, please name ${id}.` : error.message;
  }
  if (error instanceof TypeError) return "The service cannot be reached. Please check your connection and try again.";
  return error instanceof Error ? error.message : String(error);
}
