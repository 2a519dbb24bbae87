import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..');
const PYTHON = join(ROOT, '.openpi', 'bin', 'python');

/**
 * Why the tests against openpi's client cannot run here; undefined if they can. With REQUIRE_OPENPI=1 that is a failure,
 * so that they are not skipped unseen.
 */
export function openpiLacking(what: string): boolean {
  if (existsSync(PYTHON)) return false;
  const reason = `skipped: ${what}: openpi's client is not installed; run \`npm run openpi:setup\``;
  if (process.env['REQUIRE_OPENPI'] === '1') throw new Error(reason);
  process.stderr.write(`${reason}\n`);
  return true;
}

/** Runs a Python program beside openpi's client; @returns its lines of JSON */
export async function runPython(
  script: string,
  words: readonly string[],
  input: unknown = null,
): Promise<readonly Record<string, unknown>[]> {
  const child = spawn(PYTHON, [join(ROOT, script), ...words], { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => undefined);
  child.stdin.end(JSON.stringify(input));
  let said = '';
  child.stderr.on('data', (text) => (said += String(text)));
  const lines = Buffer.concat((await child.stdout.toArray()) as Buffer[]).toString('utf8');
  const code = child.exitCode ?? (await new Promise<number | null>((resolve) => child.once('exit', resolve)));
  if (code !== 0) throw new Error(`${script} ended with ${code ?? 'a signal'}: ${said}`);
  return lines
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
