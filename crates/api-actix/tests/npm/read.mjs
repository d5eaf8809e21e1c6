// Reads texts (a JSON array in the file of the first argument) as front ends read .env, and prints what each one
// assigns as JSON: with the npm package dotenv, or, if the second argument is "next", as Next.js does, which replaces
// $NAME.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import dotenv from 'dotenv';
import next from '@next/env';

const [file, reader] = process.argv.slice(2);
const texts = JSON.parse(readFileSync(file, 'utf8'));

function readAsNext(text) {
  const folder = mkdtempSync(join(tmpdir(), 'dotenv-'));
  try {
    writeFileSync(join(folder, '.env'), text);
    next.resetEnv();
    const { loadedEnvFiles } = next.loadEnvConfig(folder, true, console, true);
    return loadedEnvFiles[0]?.env ?? {};
  } finally {
    rmSync(folder, { recursive: true });
  }
}

next.updateInitialEnv({});
const read = reader === 'next' ? readAsNext : (text) => dotenv.parse(text);
process.stdout.write(JSON.stringify(texts.map(read)));
