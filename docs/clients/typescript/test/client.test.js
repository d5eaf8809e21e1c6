// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { ProblemError, createTaskApi, eachTask, fieldErrors, shareToken, unwrap } from "task-api-client";

/** @import { Problem } from "task-api-client" */

/**
 * An API that answers what it is told to, one answer per request. An error is a failure of the network.
 *
 * @param {(Response | Error)[]} answers
 * @param {(string | null)[]} [tokens] What `getToken` gives, one after the other; the last one again and again.
 */
function anApi(answers, tokens = ["first"]) {
  /** @type {{ method: string, url: string, authorization: string | null, body: string }[]} */
  const requests = [];
  /** @type {number[]} */
  const waits = [];
  const api = createTaskApi({
    baseUrl: "https://api.example",
    getToken: async () => (tokens.length > 1 ? tokens.shift() : tokens[0]) ?? null,
    fetch: async (request) => {
      const { method, url, headers } = request;
      requests.push({ method, url, authorization: headers.get("Authorization"), body: await request.text() });
      const answer = answers.shift();
      if (answer instanceof Response) return answer;
      throw answer;
    },
    wait: async (seconds) => void waits.push(seconds),
  });
  return { api, requests, waits };
}

/**
 * @param {number} status
 * @param {Partial<Problem>} [problem]
 * @param {Record<string, string>} [headers]
 */
const aProblem = (status, problem = {}, headers = {}) =>
  Response.json({ status, code: "internal_error", detail: "Something went wrong", ...problem }, { status, headers });

/** @param {string} title */
const aTask = (title) => ({ id: "01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10", title, status: "pending", version: 1 });

const unavailable = () => aProblem(503, { code: "database_unavailable" }, { "Retry-After": "2" });
const unreachable = () => new TypeError("fetch failed");
const ofTask = { params: { path: { task_id: "01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10" } } };

test("a call carries the token", async () => {
  const { api, requests } = anApi([Response.json([])]);
  await api.GET("/api/tasks");
  assert.deepEqual(requests, [{ method: "GET", url: "https://api.example/api/tasks", authorization: "Bearer first", body: "" }]);
});

test("statuses are sent as one comma list", async () => {
  const { api, requests } = anApi([Response.json([])]);
  await api.GET("/api/tasks", { params: { query: { status: ["pending", "in_progress"] } } });
  assert.equal(requests[0]?.url, "https://api.example/api/tasks?status=pending,in_progress");
});

test("a refused token is replaced once, and the whole request is sent again", async () => {
  const { api, requests } = anApi([aProblem(401), Response.json(aTask("Buy milk"), { status: 201 })], ["first", "second"]);
  const { data } = await api.POST("/api/tasks", { body: { title: "Buy milk" } });
  assert.equal(data?.title, "Buy milk");
  assert.deepEqual(requests.map(({ authorization, body }) => [authorization, body]), [
    ["Bearer first", '{"title":"Buy milk"}'],
    ["Bearer second", '{"title":"Buy milk"}'],
  ]);
});

test("a second refusal is the caller's", async () => {
  const { api, requests } = anApi([aProblem(401), aProblem(401)], ["first", "second"]);
  assert.equal((await api.GET("/api/tasks")).response.status, 401);
  assert.equal(requests.length, 2);
});

test("without a token the refusal is the caller's at once", async () => {
  const { api, requests } = anApi([aProblem(401)], [null]);
  assert.equal((await api.GET("/api/tasks")).response.status, 401);
  assert.deepEqual(requests.map(({ authorization }) => authorization), [null]);
});

test("a 503 is repeated after as many seconds as it asks for", async () => {
  const { api, requests, waits } = anApi([unavailable(), unavailable(), Response.json([])]);
  assert.deepEqual(unwrap(await api.GET("/api/tasks")), []);
  assert.deepEqual(waits, [2, 2]);
  assert.equal(requests.length, 3);
});

test("a failure of the network is repeated after ever longer waits, and thrown in the end", async () => {
  const { api, waits } = anApi([unreachable(), unreachable(), unreachable(), unreachable()]);
  await assert.rejects(api.GET("/api/tasks"), TypeError);
  assert.deepEqual(waits, [0.5, 1, 2]);
});

test("a wait of more than ten seconds is the caller's decision", async () => {
  const { api, waits } = anApi([aProblem(429, { code: "rate_limited" }, { "Retry-After": "11" })]);
  assert.equal((await api.GET("/api/tasks")).response.status, 429);
  assert.deepEqual(waits, []);
});

test("changes and deletions are repeated after a 503", async () => {
  const { api, requests } = anApi([unavailable(), Response.json(aTask("Buy milk")), unavailable(), new Response(null, { status: 204 })]);
  await api.PATCH("/api/tasks/{task_id}", { ...ofTask, body: { status: "completed" } });
  await api.DELETE("/api/tasks/{task_id}", ofTask);
  assert.deepEqual(requests.map(({ method }) => method), ["PATCH", "PATCH", "DELETE", "DELETE"]);
});

test("a creation is repeated after a 503 or a failure of the network with an Idempotency-Key only", async () => {
  const careless = anApi([unavailable(), unreachable()]);
  assert.equal((await careless.api.POST("/api/tasks", { body: { title: "Buy milk" } })).response.status, 503);
  await assert.rejects(careless.api.POST("/api/tasks", { body: { title: "Buy milk" } }), TypeError);

  const { api, requests } = anApi([unavailable(), unreachable(), Response.json(aTask("Buy milk"), { status: 201 })]);
  await api.POST("/api/tasks", { params: { header: { "Idempotency-Key": "8e03978e" } }, body: { title: "Buy milk" } });
  assert.equal(requests.length, 3);
});

test("a 429 is repeated whatever the request was: nothing has happened", async () => {
  const { api, requests } = anApi([aProblem(429, {}, { "Retry-After": "1" }), Response.json(aTask("Buy milk"), { status: 201 })]);
  await api.POST("/api/tasks", { body: { title: "Buy milk" } });
  assert.equal(requests.length, 2);
});

test("no other failure is repeated", async () => {
  for (const status of [400, 404, 412, 422, 500]) {
    const { api, requests } = anApi([aProblem(status)]);
    await api.DELETE("/api/tasks/{task_id}", ofTask);
    assert.equal(requests.length, 1);
  }
});

test("a call that is aborted while it waits ends at once", async () => {
  const leaving = new AbortController();
  const api = createTaskApi({
    baseUrl: "https://api.example",
    getToken: async () => "first",
    fetch: async () => {
      setImmediate(() => leaving.abort());
      return aProblem(503, {}, { "Retry-After": "10" });
    },
  });
  await assert.rejects(api.GET("/api/tasks", { signal: leaving.signal }), { name: "AbortError" });
});

test("each task of every page comes once, in order", async () => {
  const { api, requests } = anApi([
    Response.json([aTask("one"), aTask("two")], { headers: { "X-Next-Cursor": "AZOf" } }),
    Response.json([aTask("three")]),
  ]);
  const titles = [];
  for await (const { title } of eachTask(api, { limit: 2, status: ["pending"] })) titles.push(title);
  assert.deepEqual(titles, ["one", "two", "three"]);
  assert.deepEqual(requests.map(({ url }) => new URL(url).search), ["?limit=2&status=pending", "?limit=2&status=pending&cursor=AZOf"]);
});

test("a page that fails ends the iteration with the problem", async () => {
  const { api } = anApi([aProblem(422, { code: "validation_error" })]);
  await assert.rejects(eachTask(api).next(), (error) => error instanceof ProblemError && error.problem?.code === "validation_error");
});

test("field errors go by the name of the field", () => {
  const errors = /** @type {Problem["errors"]} */ ([
    { pointer: "/title", loc: ["body", "title"], type: "missing", msg: "Field required" },
    { loc: ["query", "limit"], type: "int_parsing", msg: "Input should be a valid integer" },
  ]);
  assert.deepEqual(fieldErrors(/** @type {Problem} */ ({ errors })), {
    title: "Field required",
    limit: "Input should be a valid integer",
  });
  assert.deepEqual(fieldErrors(/** @type {Problem} */ ({ errors }), ({ type }) => type), { title: "missing", limit: "int_parsing" });
  assert.deepEqual(fieldErrors(undefined), {});
});

test("an answer that is not of the API is an error without a problem", async () => {
  const { api } = anApi([new Response("<h1>Bad gateway</h1>", { status: 502 })]);
  const answer = await api.GET("/api/tasks");
  assert.throws(() => unwrap(answer), (error) => error instanceof ProblemError && error.status === 502 && error.problem === undefined);
});

/**
 * A token as an issuer makes it, except for its signature. It lives for 15 minutes.
 *
 * @param {string} id
 * @param {string} [sub]
 */
function aToken(id, sub = "zoë") {
  const claims = { iat: 1_000_000, exp: 1_000_900, jti: id, sub };
  return `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln`;
}

/** @param {(string | null)[]} tokens What is fetched, one after the other. */
function anIssuer(tokens) {
  const issuer = { asked: 0, clock: 0 };
  const fetchToken = async () => {
    issuer.asked += 1;
    return tokens.shift() ?? null;
  };
  return { issuer, getToken: shareToken(fetchToken, { now: () => issuer.clock }) };
}

test("calls at the same time share one fetch of a token", async () => {
  const { issuer, getToken } = anIssuer([aToken("a"), aToken("b")]);
  const [one, two] = await Promise.all([getToken(), getToken()]);
  assert.equal(one, aToken("a"));
  assert.equal(two, one);
  assert.equal(issuer.asked, 1);
});

test("a token is used until a minute before it expires", async () => {
  const { issuer, getToken } = anIssuer([aToken("a"), aToken("b")]);
  await getToken();
  issuer.clock = 839_999;
  assert.equal(await getToken(), aToken("a"));
  issuer.clock = 840_000;
  assert.equal(await getToken(), aToken("b"));
});

test("several refusals of one token fetch one other token", async () => {
  const { issuer, getToken } = anIssuer([aToken("a"), aToken("b"), aToken("c")]);
  await getToken();
  assert.equal(await getToken(aToken("a")), aToken("b"));
  assert.equal(await getToken(aToken("a")), aToken("b"));
  assert.equal(issuer.asked, 2);
});

test("a token of somebody else is none", async () => {
  const { getToken } = anIssuer([aToken("a", "alice"), aToken("b", "bob"), aToken("c", "alice")]);
  assert.equal(await getToken(), aToken("a", "alice"));
  assert.equal(await getToken(aToken("a", "alice")), null);
  assert.equal(await getToken(aToken("a", "alice")), aToken("c", "alice"));
});

test("nobody is signed in: there is no token, and the next call asks again", async () => {
  const { issuer, getToken } = anIssuer([null, aToken("a")]);
  assert.equal(await getToken(), null);
  assert.equal(await getToken(), aToken("a"));
  assert.equal(issuer.asked, 2);
});

test("a fetch that failed is tried again by the next call", async () => {
  let isDown = true;
  const getToken = shareToken(async () => {
    if (isDown) throw new TypeError("fetch failed");
    return aToken("a");
  });
  await assert.rejects(getToken(), TypeError);
  isDown = false;
  assert.equal(await getToken(), aToken("a"));
});
