// @ts-check
// Somebody else has changed the task meanwhile: both versions side by side, and the user decides.
import { find } from "./forms.js";

/** @typedef {{ title: string, description: string | null, status: "pending" | "in_progress" | "completed" }} Content */

/** @type {HTMLDialogElement} */
const dialog = find(document, "#conflict");

export const STATUS_NAMES = { pending: "To do", in_progress: "In progress", completed: "Done" };

/**
 * @param {Content} mine
 * @param {Content} theirs
 * @returns {Promise<"mine" | "theirs" | "edit">}
 */
export function choose(mine, theirs) {
  for (const row of dialog.querySelectorAll("tr[data-field]")) {
    const field = /** @type {keyof Content} */ (row.getAttribute("data-field"));
    const [mineCell, theirsCell] = row.querySelectorAll("td");
    mineCell.textContent = text(mine, field);
    theirsCell.textContent = text(theirs, field);
    row.classList.toggle("differs", mine[field] !== theirs[field]);
  }
  dialog.returnValue = "edit";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(/** @type {"mine" | "theirs" | "edit"} */ (dialog.returnValue)), { once: true });
  });
}

/**
 * @param {Content} content
 * @param {keyof Content} field
 */
function text(content, field) {
  return field === "status" ? STATUS_NAMES[content.status] : content[field] || "–";
}
