// @ts-check
// Who is signed in: the routes of Better Auth, on this page's own origin. The session is a cookie that scripts cannot read.

/** @typedef {{ id: string, name: string, email: string }} User */

/** Which refusals are about one field of the form. @type {Record<string, string>} */
const FIELDS = {
  USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL: "email",
  INVALID_EMAIL: "email",
  PASSWORD_TOO_SHORT: "password",
  PASSWORD_TOO_LONG: "password",
};

/** Better Auth has refused. */
export class SessionError extends Error {
  /**
   * @param {number} status
   * @param {{ code?: string, message?: string } | null} body
   */
  constructor(status, body) {
    super(body?.message ?? `Signing in does not work at the moment (${status}).`);
    this.name = "SessionError";
    const field = FIELDS[body?.code ?? ""];
    /** What to show at which field. @type {Record<string, string>} */
    this.fields = field ? { [field]: this.message } : {};
  }
}

/** @param {Record<string, string>} person name, email, password */
export const signUp = (person) => send("POST", "/sign-up/email", person);

/** @param {Record<string, string>} credentials email, password */
export const signIn = (credentials) => send("POST", "/sign-in/email", credentials);

export const signOut = () => send("POST", "/sign-out", {});

/** @returns {Promise<User | null>} */
export async function currentUser() {
  const session = await send("GET", "/get-session");
  return session?.user ?? null;
}

/**
 * The JSON Web Token that the Task API accepts.
 *
 * @returns {Promise<string | null>} `null` when nobody is signed in.
 */
export async function fetchToken() {
  const response = await fetch("/api/auth/token");
  if (response.status === 401) return null;
  return (await answer(response)).token;
}

/**
 * @param {"GET" | "POST"} method
 * @param {string} path
 * @param {object} [body]
 */
async function send(method, path, body) {
  const init = body && { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  return answer(await fetch(`/api/auth${path}`, { method, ...init }));
}

/** @param {Response} response */
async function answer(response) {
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new SessionError(response.status, body);
  return body;
}
