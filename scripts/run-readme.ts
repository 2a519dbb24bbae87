/*
 * Runs the commands of README.md as printed, one block after the other, in a fresh copy of the tracked files in a
 * temporary folder; ends with code 1 at the first block that fails.
 *
 *   npm run readme                     all blocks but those that say why they are not run
 *   npm run readme -- docs/page.md     of another page
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { commandBlocks } from './readmeBlocks';

const ROOT = resolve(__dirname, '..');
const page = process.argv[2] ?? 'README.md';
const blocks = commandBlocks(readFileSync(join(ROOT, page), 'utf8'));
const copy = mkdtempSync(join(tmpdir(), 'fast-wam-readme-'));
const say = (text: string): void => void process.stdout.write(`readme: ${text}\n`);

/** What a user's shell has: nothing of the npm that runs this. */
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));

try {
  execFileSync('bash', ['-c', `git ls-files -z | tar --null -T - -cf - | tar -xf - -C '${copy}'`], {
    cwd: ROOT,
  });
  let run = 0;
  for (const { line, commands, notRun } of blocks) {
    const first = commands.split('\n')[0] ?? '';
    if (notRun !== undefined) {
      say(`${page}:${line} not run: ${notRun}`);
      continue;
    }
    say(`${page}:${line} ${first}`);
    const started = performance.now();
    const { status } = spawnSync('bash', ['-euo', 'pipefail', '-c', commands], {
      cwd: copy,
      env: environment,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    if (status !== 0) {
      say(`FAILED with code ${status ?? 'none'}:\n${commands}`);
      process.exitCode = 1;
      break;
    }
    run += 1;
    say(`ok, ${((performance.now() - started) / 1000).toFixed(0)} s`);
  }
  say(`${run} of ${blocks.length} blocks run, ${blocks.filter(({ notRun }) => notRun).length} say why not`);
} finally {
  rmSync(copy, { recursive: true, force: true });
}
