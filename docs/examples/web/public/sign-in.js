// @ts-check
// Signing in and signing up: one form, two faces.
import { clearErrors, find, onSubmit } from "./forms.js";
import { signIn, signUp } from "./session.js";

const section = find(document, "#sign-in");
/** @type {HTMLFormElement} */
const form = find(section, "form");
const heading = find(section, "h1");
const switchButton = find(section, "#switch");

let isNew = false;

/** @param {string} reason Why the user has to sign in, if there is one. */
export function showSignIn(reason) {
  section.hidden = false;
  find(form, "[role=alert]").textContent = reason;
  heading.focus();
}

export function hideSignIn() {
  section.hidden = true;
  form.reset();
}

/** @param {() => Promise<void>} onSignedIn */
export function whenSignedIn(onSignedIn) {
  onSubmit(form, async (person) => {
    await (isNew ? signUp(person) : signIn(person));
    await onSignedIn();
  });
}

switchButton.addEventListener("click", () => {
  clearErrors(form);
  face(!isNew);
  find(form, isNew ? "#name" : "#email").focus();
});

/** @param {boolean} signingUp */
function face(signingUp) {
  isNew = signingUp;
  heading.textContent = isNew ? "Create an account" : "Sign in";
  find(section, "#sign-in-lead").textContent = isNew ? "For tasks that only you can see." : "Your tasks are waiting.";
  find(form, "button[type=submit]").textContent = isNew ? "Create account" : "Sign in";
  find(section, "#switch-text").textContent = isNew ? "Already have an account?" : "No account yet?";
  switchButton.textContent = isNew ? "Sign in" : "Create one";
  find(form, "#name-field").hidden = !isNew;
  find(form, "#password-hint").hidden = !isNew;
  /** @type {HTMLInputElement} */
  const name = find(form, "#name");
  name.disabled = !isNew;
  find(form, "#password").setAttribute("autocomplete", isNew ? "new-password" : "current-password");
}
