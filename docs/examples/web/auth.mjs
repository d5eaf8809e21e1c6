// @ts-check
// Better Auth: who the users are. Its jwt plugin is as it comes: tokens of 15 minutes, signed with a key pair of its own (EdDSA), whose public
// half the Task API fetches from /api/auth/jwks.
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { jwt } from "better-auth/plugins";
import { SqliteDialect } from "kysely";
import Database from "libsql";

/**
 * @param {object} options
 * @param {string} options.url The origin of the pages, which is also the issuer and the audience of the tokens.
 * @param {string} options.secret At least 32 characters; it signs session cookies and never leaves this server.
 * @param {string} options.file The SQLite file with users, sessions and keys.
 * @param {Parameters<typeof jwt>[0]} [options.tokens] What tests need to be different.
 */
export async function createAuth({ url, secret, file, tokens }) {
  const auth = betterAuth({
    baseURL: url,
    secret,
    database: { type: "sqlite", dialect: new SqliteDialect({ database: new Database(file) }) },
    emailAndPassword: { enabled: true },
    plugins: [jwt(tokens)],
  });
  const { runMigrations } = await getMigrations(auth.options);
  await runMigrations();
  return auth;
}
