// @ts-check
// The page, both servers and a real browser, as people use them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { aStage, barriers, launchBrowser } from "./stage.mjs";

/** @import { Page } from "playwright-core" */

/** @type {Awaited<ReturnType<typeof launchBrowser>>} */
let browser;
before(async () => {
  browser = await launchBrowser();
});
after(() => browser.close());

const PASSWORD = "correct horse battery";

/**
 * @param {Page} page
 * @param {string} name
 */
async function signUp(page, name) {
  await page.getByRole("button", { name: "Create one" }).click();
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("E-mail").fill(`${name.toLowerCase()}@example.com`);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByRole("heading", { name: "Your tasks" }).waitFor();
}

/**
 * @param {Page} page
 * @param {string} name
 */
async function signIn(page, name) {
  await page.getByLabel("E-mail").fill(`${name.toLowerCase()}@example.com`);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Your tasks" }).waitFor();
}

/**
 * @param {Page} page
 * @param {string} title
 */
async function add(page, title) {
  await page.getByLabel("New task").fill(title);
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByRole("checkbox", { name: `Done: ${title}`, exact: true }).waitFor();
}

/** @param {Page} page */
const titles = (page) => page.locator(".task-title").allTextContents();

/**
 * @param {Page} page
 * @param {string} text
 */
const says = (page, text) => page.getByRole("status").filter({ hasText: text }).waitFor();

/**
 * @param {Page} page
 * @param {string} path
 */
function countRequests(page, path) {
  const counted = { requests: 0 };
  page.on("request", (request) => {
    if (request.method() !== "OPTIONS" && new URL(request.url()).pathname === path) counted.requests += 1;
  });
  return counted;
}

test("two users see their own tasks and nothing of each other", async (t) => {
  const stage = await aStage(t, { browser });
  const [alice, bob] = [await stage.aPage(), await stage.aPage()];
  await Promise.all([signUp(alice, "Alice"), signUp(bob, "Bob")]);
  await add(alice, "Alice's letter");
  await add(bob, "Bob's letter");
  await Promise.all([alice.reload(), bob.reload()]);
  await alice.getByText("Alice's letter").waitFor();
  await bob.getByText("Bob's letter").waitFor();
  assert.deepEqual(await titles(alice), ["Alice's letter"]);
  assert.deepEqual(await titles(bob), ["Bob's letter"]);

  const [{ id }] = await (await (await stage.callsOf(alice)).call("GET", "/api/tasks")).json();
  const asBob = await stage.callsOf(bob);
  assert.equal((await asBob.call("GET", `/api/tasks/${id}`)).status, 404);
  assert.equal((await asBob.call("DELETE", `/api/tasks/${id}`)).status, 404);
});

test("a task is added, ticked, edited and deleted", async (t) => {
  const stage = await aStage(t, { browser });
  const page = await stage.aPage();
  await signUp(page, "Alice");
  await page.getByText("Nothing to do yet").waitFor();

  await page.getByText("Add a description").click();
  await page.getByLabel("Description", { exact: true }).first().fill("2 litres\nof the good one");
  await add(page, "Buy milk");
  await page.getByRole("checkbox", { name: "Done: Buy milk" }).click();
  await says(page, "“Buy milk” is done.");

  await page.getByRole("button", { name: "Edit Buy milk" }).click();
  const dialog = page.getByRole("dialog", { name: "Edit task" });
  assert.equal(await dialog.getByLabel("Description").inputValue(), "2 litres\nof the good one");
  await dialog.getByLabel("Description").fill("");
  await dialog.getByLabel("Status").selectOption("In progress");
  await dialog.getByRole("button", { name: "Save" }).click();
  await says(page, "Saved “Buy milk”.");

  const { call } = await stage.callsOf(page);
  const [task] = await (await call("GET", "/api/tasks")).json();
  assert.deepEqual([task.title, task.description, task.status, task.version], ["Buy milk", null, "in_progress", 3]);

  await page.getByRole("button", { name: "Delete Buy milk" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await says(page, "Deleted “Buy milk”.");
  assert.deepEqual(await (await call("GET", "/api/tasks")).json(), []);
  await page.getByText("Nothing to do yet").waitFor();
});

test("a long list comes page by page, and can be filtered", async (t) => {
  const stage = await aStage(t, { browser });
  const page = await stage.aPage();
  await signUp(page, "Alice");
  const { call } = await stage.callsOf(page);
  const expected = [];
  for (let number = 1; number <= 45; number += 1) {
    await call("POST", "/api/tasks", { title: `Task ${number}`, status: number % 15 ? "pending" : "completed" });
    expected.unshift(`Task ${number}`);
  }
  await page.reload();
  const more = page.getByRole("button", { name: "Load more" });
  await more.click();
  await page.getByText("Task 6", { exact: true }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement?.ariaLabel), "Done: Task 25", "the focus is on the first of the new ones");
  await more.click();
  await page.getByText("Task 1", { exact: true }).waitFor();
  await more.waitFor({ state: "hidden" });
  assert.deepEqual(await titles(page), expected);

  await page.getByRole("radio", { name: "Done" }).check();
  await page.getByText("Task 1", { exact: true }).waitFor({ state: "detached" });
  assert.deepEqual(await titles(page), ["Task 45", "Task 30", "Task 15"]);
  await page.getByRole("radio", { name: "In progress" }).check();
  await page.getByText("No task is “In progress”.").waitFor();
});

test("what is wrong stands at its field, which has the focus", async (t) => {
  const stage = await aStage(t, { browser });
  const page = await stage.aPage();
  await signUp(page, "Alice");
  const title = page.getByLabel("New task");
  await title.fill("x".repeat(256));
  await page.getByRole("button", { name: "Add", exact: true }).click();
  const message = page.getByText("At most 255 characters, please; these are 256.");
  await message.waitFor();
  assert.equal(await title.getAttribute("aria-invalid"), "true");
  assert.equal(await title.getAttribute("aria-describedby"), await message.getAttribute("id"));
  assert.ok(await title.evaluate((element) => element === document.activeElement));
  await title.fill("Buy milk");
  await message.waitFor({ state: "hidden" });
  assert.equal(await title.getAttribute("aria-invalid"), null);

  await add(page, "Buy milk");
  await page.getByRole("button", { name: "Edit Buy milk" }).click();
  const dialog = page.getByRole("dialog", { name: "Edit task" });
  await dialog.getByLabel("Title").fill(" ");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.getByText("Please write something here.").waitFor();
});

test("of two versions the user chooses one", async (t) => {
  const stage = await aStage(t, { browser });
  const page = await stage.aPage();
  await signUp(page, "Alice");
  await add(page, "Buy milk");
  const { call } = await stage.callsOf(page);
  const [{ id }] = await (await call("GET", "/api/tasks")).json();
  const read = async () => (await call("GET", `/api/tasks/${id}`)).json();
  const conflict = page.getByRole("dialog", { name: "This task has changed" });

  /**
   * @param {string} mine
   * @param {object} theirs
   */
  async function collide(mine, theirs) {
    await page.getByRole("button", { name: "Edit" }).click();
    await page.getByRole("dialog").getByLabel("Title").fill(mine);
    await call("PATCH", `/api/tasks/${id}`, theirs);
    await page.getByRole("button", { name: "Save" }).click();
    await conflict.waitFor();
  }

  await collide("Buy oat milk", { title: "Buy soy milk", status: "in_progress" });
  assert.deepEqual(await conflict.getByRole("row").nth(1).locator("td").allTextContents(), ["Buy oat milk", "Buy soy milk"]);
  assert.deepEqual(await conflict.getByRole("row").nth(3).locator("td").allTextContents(), ["To do", "In progress"]);
  await page.keyboard.press("Escape");
  assert.equal(await page.getByRole("dialog").getByLabel("Title").inputValue(), "Buy oat milk", "nothing typed is lost");
  await page.getByRole("button", { name: "Save" }).click();
  await conflict.getByRole("button", { name: "Keep mine" }).click();
  await says(page, "Saved “Buy oat milk”.");
  assert.deepEqual([(await read()).title, (await read()).status], ["Buy oat milk", "pending"]);

  await collide("Buy rice milk", { title: "Buy goat milk" });
  await conflict.getByRole("button", { name: "Keep theirs" }).click();
  await says(page, "Kept the other version of “Buy goat milk”.");
  assert.equal((await read()).title, "Buy goat milk");
  assert.deepEqual(await titles(page), ["Buy goat milk"]);

  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByRole("dialog").getByLabel("Title").fill("Buy any milk");
  await call("DELETE", `/api/tasks/${id}`);
  await page.getByRole("button", { name: "Save" }).click();
  await says(page, "“Buy goat milk” has been deleted in the meantime.");
});

test("a task whose answer got lost is added once", async (t) => {
  const stage = await aStage(t, { browser });
  const page = await stage.aPage();
  await signUp(page, "Alice");
  await add(page, "Buy bread");
  /** @type {number[]} */
  const answers = [];
  await page.route(`${stage.apiUrl}/api/tasks`, async (route) => {
    if (route.request().method() !== "POST" || answers.length > 0) return route.continue();
    answers.push((await route.fetch()).status());
    await route.abort("connectionreset");
  });
  await add(page, "Buy milk");
  assert.deepEqual(answers, [201]);
  await page.reload();
  await page.getByText("Buy bread").waitFor();
  assert.deepEqual(await titles(page), ["Buy milk", "Buy bread"]);
});

test("a service that is busy is asked again when it says so", async (t) => {
  const stage = await aStage(t, { browser });
  const page = await stage.aPage();
  await signUp(page, "Alice");
  let refusals = 0;
  await page.route(`${stage.apiUrl}/api/tasks/*`, (route) => {
    if (route.request().method() !== "PATCH" || refusals === 2) return route.continue();
    refusals += 1;
    const headers = { "Access-Control-Allow-Origin": stage.url, "Access-Control-Expose-Headers": "Retry-After", "Retry-After": "1" };
    return route.fulfill({ status: 503, headers, json: { code: "pool_exhausted", detail: "Too many requests at once" } });
  });
  await add(page, "Buy milk");
  await page.getByRole("checkbox", { name: "Done: Buy milk" }).click();
  await says(page, "“Buy milk” is done.");
  assert.equal(refusals, 2);
});

test("one token serves all calls, and no script can find it anywhere", async (t) => {
  const stage = await aStage(t, { browser });
  const page = await stage.aPage();
  const tokens = countRequests(page, "/api/auth/token");
  await signUp(page, "Alice");
  for (const title of ["Buy milk", "Buy bread", "Buy tea"]) await add(page, title);
  await Promise.all((await page.getByRole("checkbox").all()).map((box) => box.click()));
  await page.getByText("is done").waitFor();
  assert.equal(tokens.requests, 1);
  assert.deepEqual(await page.evaluate(() => [document.cookie, localStorage.length, sessionStorage.length]), ["", 0, 0]);
});

test("a token is replaced before it expires", async (t) => {
  const stage = await aStage(t, { browser });
  const page = await stage.aPage();
  await page.clock.install();
  await page.reload();
  const tokens = countRequests(page, "/api/auth/token");
  await signUp(page, "Alice");
  // The heading is there before the first token is.
  await page.getByText("Nothing to do yet").waitFor();
  await page.clock.fastForward("13:50");
  await add(page, "Within 14 minutes");
  assert.equal(tokens.requests, 1);
  await page.clock.fastForward("00:15");
  await add(page, "A minute before the end");
  assert.equal(tokens.requests, 2);
});

test("a token that has expired all the same is replaced, and the user notices nothing", async (t) => {
  const stage = await aStage(t, { browser, tokens: { jwt: { expirationTime: "2s" } } });
  const page = await stage.aPage();
  // The clock of this page runs backwards, so that it believes in its token for ever.
  await page.addInitScript(() => {
    let time = 0;
    performance.now = () => (time -= 1_000_000);
  });
  await page.reload();
  await signUp(page, "Alice");
  await add(page, "Buy milk");
  const { call } = await stage.callsOf(page);
  while ((await call("GET", "/api/me")).status !== 401) await new Promise((resolve) => setTimeout(resolve, 100));

  const refusal = page.waitForResponse((response) => response.status() === 401);
  await page.getByRole("checkbox", { name: "Done: Buy milk" }).click();
  await refusal;
  await says(page, "“Buy milk” is done.");
});

test("a new signing key between two calls goes unnoticed", async (t) => {
  const stage = await aStage(t, { browser });
  const page = await stage.aPage();
  await page.clock.install();
  await page.reload();
  await signUp(page, "Alice");
  await add(page, "With the first key");
  const first = await stage.callsOf(page);
  await rotate(stage);
  const second = await stage.callsOf(page);
  assert.notEqual(kid(first.token), kid(second.token));
  await page.clock.fastForward("15:00");
  await add(page, "With the second key");
  assert.equal((await first.call("GET", "/api/me")).status, 200, "the first key is still good while it is published");
});

test("all keys are lost and the API has restarted: the page gets another token and goes on", async (t) => {
  const stage = await aStage(t, { browser });
  const page = await stage.aPage();
  const tokens = countRequests(page, "/api/auth/token");
  await signUp(page, "Alice");
  await add(page, "Before");
  const { adapter } = await stage.auth.$context;
  await adapter.deleteMany({ model: "jwks", where: [] });
  await stage.restartApi();
  await add(page, "After");
  assert.equal(tokens.requests, 2);
});

test("the API restarts between two calls, and while a call is on its way", async (t) => {
  const stage = await aStage(t, { browser });
  const page = await stage.aPage();
  await signUp(page, "Alice");
  await add(page, "Before");
  await stage.restartApi();
  await add(page, "Between");
  const restarted = stage.restartApi();
  await add(page, "Meanwhile");
  await restarted;
  assert.deepEqual(await titles(page), ["Meanwhile", "Between", "Before"]);
});

test("signing out leaves nothing behind, in other tabs neither", async (t) => {
  const stage = await aStage(t, { browser });
  const page = await stage.aPage();
  await signUp(page, "Alice");
  await add(page, "Buy milk");
  const tab = await page.context().newPage();
  await tab.goto(stage.url);
  await tab.getByText("Buy milk").waitFor();

  await page.getByRole("button", { name: "Sign out" }).click();
  for (const each of [page, tab]) {
    await each.getByRole("heading", { name: "Sign in" }).waitFor();
    assert.equal((await each.content()).includes("Buy milk"), false);
  }
  await signUp(page, "Bob");
  await page.getByText("Nothing to do yet").waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await signIn(page, "Alice");
  await page.getByText("Buy milk").waitFor();
});

test("a session that has ended asks to sign in again", async (t) => {
  const stage = await aStage(t, { browser });
  const page = await stage.aPage();
  await page.clock.install();
  await page.reload();
  await signUp(page, "Alice");
  await page.getByText("Nothing to do yet").waitFor();
  await page.context().clearCookies();
  await page.clock.fastForward("15:00");
  await page.getByRole("radio", { name: "Done" }).click();
  await page.getByText("Your session has ended. Please sign in again.").waitFor();
  await signIn(page, "Alice");
});

test("a wrong password and a taken address are said where they belong", async (t) => {
  const stage = await aStage(t, { browser });
  const page = await stage.aPage();
  await signUp(page, "Alice");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("E-mail").fill("alice@example.com");
  await page.getByLabel("Password").fill("wrong horse battery");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").filter({ hasText: "Invalid email or password" }).waitFor();

  await page.getByRole("button", { name: "Create one" }).click();
  await page.getByLabel("Name").fill("Alice");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByText("User already exists").waitFor();
  assert.equal(await page.getByLabel("E-mail").getAttribute("aria-invalid"), "true");
});

test("everything can be done with the keyboard", async (t) => {
  const stage = await aStage(t, { browser });
  const page = await stage.aPage();
  const { keyboard } = page;
  const focused = () => page.evaluate(() => document.activeElement?.ariaLabel ?? document.activeElement?.id);
  await signUp(page, "Alice");
  await page.getByText("Nothing to do yet").waitFor();

  await keyboard.press("Tab");
  assert.equal(await focused(), "new-title");
  await keyboard.type("Buy milk");
  await keyboard.press("Enter");
  await says(page, "Added “Buy milk”.");
  assert.equal(await focused(), "new-title", "ready for the next one");

  for (const stop of ["Add", "Add a description", "All", "Done: Buy milk"]) await keyboard.press("Tab", { delay: stop.length });
  assert.equal(await focused(), "Done: Buy milk");
  await keyboard.press("Space");
  await says(page, "“Buy milk” is done.");

  await keyboard.press("Tab");
  await keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Edit task" }).waitFor();
  await keyboard.press("End");
  await keyboard.type(" and bread");
  await keyboard.press("Enter");
  await says(page, "Saved “Buy milk and bread”.");
  assert.equal(await focused(), "Edit Buy milk and bread", "back where the user was");

  await keyboard.press("Tab");
  await keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Delete this task?" }).waitFor();
  await keyboard.press("Tab");
  await keyboard.press("Enter");
  await says(page, "Deleted “Buy milk and bread”.");
  assert.equal(await focused(), "new-title");
});

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  test(`axe finds no barrier in any view, ${colorScheme}`, async (t) => {
    const stage = await aStage(t, { browser });
    const page = await stage.aPage({ colorScheme });
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    assert.deepEqual(await barriers(page), []);
    await signUp(page, "Alice");
    await page.getByText("Nothing to do yet").waitFor();
    assert.deepEqual(await barriers(page), []);
    for (const title of ["Buy bread", "Buy milk"]) await add(page, title);
    await page.getByRole("checkbox", { name: "Done: Buy bread" }).click();
    await says(page, "“Buy bread” is done.");
    await page.getByLabel("New task").fill("x".repeat(256));
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await page.getByText("At most 255 characters").waitFor();
    assert.deepEqual(await barriers(page), []);

    await page.getByRole("button", { name: "Edit Buy milk" }).click();
    assert.deepEqual(await barriers(page), []);
    await page.getByRole("dialog").getByLabel("Title").fill("Buy oat milk");
    const { call } = await stage.callsOf(page);
    const [{ id }] = await (await call("GET", "/api/tasks")).json();
    await call("PATCH", `/api/tasks/${id}`, { status: "in_progress" });
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("dialog", { name: "This task has changed" }).waitFor();
    assert.deepEqual(await barriers(page), []);
    await page.getByRole("button", { name: "Keep theirs" }).click();
    await page.getByRole("button", { name: "Delete Buy milk" }).click();
    assert.deepEqual(await barriers(page), []);
  });
}

/**
 * Better Auth makes another key when the newest has expired, and goes on publishing the old one for 30 days.
 *
 * @param {import("./stage.mjs").Stage} stage
 */
async function rotate({ auth }) {
  const { adapter } = await auth.$context;
  await adapter.updateMany({ model: "jwks", where: [], update: { expiresAt: new Date(Date.now() - 1000) } });
}

/** @param {string} token */
const kid = (token) => JSON.parse(Buffer.from(token.split(".")[0], "base64url").toString()).kid;
