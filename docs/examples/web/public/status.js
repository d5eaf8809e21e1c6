// @ts-check
// The line at the foot of the page that says what has happened. Screen readers read it out.
import { find } from "./forms.js";

const line = find(document, "#status");
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** @param {string} text What has worked; it goes away by itself. */
export function announce(text) {
  show(text);
  timer = setTimeout(() => show(""), 6000);
}

/** @param {string} text What has not worked; it stays until something else is said. */
export function complain(text) {
  show(text);
  line.classList.add("failure");
}

/** @param {string} text */
function show(text) {
  clearTimeout(timer);
  line.classList.remove("failure");
  line.textContent = text;
}
