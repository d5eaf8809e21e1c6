// @ts-check
// Which of the two views is shown: the form to sign in, or the tasks of whoever is signed in. When that changes, the page starts afresh,
// so that nothing of one user (a token, a list, a request that is still being repeated) outlives them.
import { describe, find } from "./forms.js";
import { currentUser, signOut } from "./session.js";
import { hideSignIn, showSignIn, whenSignedIn } from "./sign-in.js";
import { complain } from "./status.js";
import { whenRefused } from "./tasks-api.js";
import { showTasks } from "./tasks.js";

/** @import { User } from "./session.js" */

const account = find(document, "#account");
/** Whose tasks are shown. @type {User | null} */
let user = null;

const otherTabs = new BroadcastChannel("session");
otherTabs.addEventListener("message", () => location.reload());

async function start() {
  user = await currentUser();
  if (!user) return showSignIn(location.hash === "#ended" ? "Your session has ended. Please sign in again." : "");
  history.replaceState(null, "", "/");
  find(account, "#account-name").textContent = user.name;
  account.hidden = false;
  hideSignIn();
  await showTasks();
}

whenSignedIn(() => {
  otherTabs.postMessage("signed in");
  return start();
});

find(account, "#sign-out").addEventListener("click", async () => {
  try {
    await signOut();
  } catch (error) {
    return complain(describe(error));
  }
  otherTabs.postMessage("signed out");
  location.reload();
});

whenRefused(async () => {
  const now = await currentUser();
  // The token of a session that goes on: signing in again would not help, and the message of the API is shown.
  if (now && now.id === user?.id) return;
  location.hash = now ? "" : "ended";
  location.reload();
});

start().catch((error) => complain(describe(error)));
