import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { nameOf, readChoices } from '../../src/cache/choice';
import { NOMINAL_MODEL } from '../../src/settings/Parameter';
import { removeFolders, temporaryFolder } from '../helpers';
import { listed } from '../../src/words/listed';

/** Each run of the script starts some processes, beside other work. */
const PATIENCE = 240_000;
const SCRIPT = join(__dirname, '..', '..', 'scripts', 'closed-loop-tables.sh');

/** In place of the command: notes what it was asked, writes a table, and fails at what `FAIL` names. */
const STUB = `#!/usr/bin/env node
const { appendFileSync, mkdirSync, writeFileSync } = require('node:fs');
const words = process.argv.slice(2);
appendFileSync(process.env.NOTES, words.join(' ') + '\\n');
if (process.env.FAIL && words.some((word) => word.endsWith(process.env.FAIL))) process.exit(1);
if (words[0] === 'simulate') {
  const out = words[words.indexOf('--out') + 1];
  mkdirSync(out, { recursive: true });
  writeFileSync(out + '/tables.md', [
    '| configuration | all | difference, points |', '| --- | ---: | ---: |', '| none | 100 | – |',
    '| c3ache R=4 [0,7] | 97 | −3 |', '', '| configuration | chunks/episode |', '| --- | ---: |', '| none | 18 |', '',
  ].join('\\n'));
}
`;

describe('The script that makes the tables of closed loop', { timeout: PATIENCE }, () => {
  let folder: string;
  let bundle: string;

  beforeEach(() => {
    folder = temporaryFolder();
    bundle = join(folder, 'model');
    mkdirSync(bundle);
    writeFileSync(join(bundle, 'bundle.json'), '{}');
    writeFileSync(join(folder, 'stub'), STUB);
    chmodSync(join(folder, 'stub'), 0o755);
  });
  afterAll(removeFolders);

  const run = (words: readonly string[], variables: Record<string, string> = {}) => {
    const { status, stdout, stderr } = spawnSync(
      'bash',
      [SCRIPT, '--bundle', bundle, '--out', join(folder, 'out'), ...words],
      {
        encoding: 'utf8',
        env: { ...process.env, FASTWAM: join(folder, 'stub'), NOTES: join(folder, 'notes'), ...variables },
      },
    );
    return { status, stdout, stderr };
  };
  const notes = () => readFileSync(join(folder, 'notes'), 'utf8').trimEnd().split('\n');
  /** Single spaces and shortest rules: how a table is laid out does not matter. */
  const tables = () =>
    readFileSync(join(folder, 'out', 'tables.md'), 'utf8')
      .replace(/ +/g, ' ')
      .replace(/-{3,}/g, '---');

  it('asks for settings that the policies have', () => {
    const lines = run(['--list']).stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(8);
    const names = lines.map((line) => {
      const words = line.split(' ');
      const after = (flag: string): string[] =>
        words.flatMap((word, i) => (word === flag ? [words[i + 1]!] : []));
      return readChoices({
        policies: after('--policy').flatMap(listed),
        texts: after('--set'),
        lists: true,
      }).map((choice) => nameOf(choice, NOMINAL_MODEL));
    });
    // 3 intervals on 4 ranges, with both kinds of noise; three settings of each other policy
    expect(names.map((one) => one.length)).toEqual([12, 12, 3, 9, 12, 8, 8, 8]);
    expect(names[0]!.slice(0, 4)).toEqual([
      'c3ache R=0 [0,6]',
      'c3ache R=4 [0,6]',
      'c3ache R=8 [0,6]',
      'c3ache R=0 [0,7]',
    ]);
  });

  it("gathers the tables, the paper's figures beside those that it has", () => {
    expect(run(['grid-fixed', 'fast']).status).toBe(0);
    const [fixed, fast] = tables().split('## The fast world');
    expect(fixed).toContain('| configuration | all | difference, points | LIBERO | RoboTwin |');
    expect(fixed).toContain('| none | 100 | – | 96.90 % | 91.40 % |');
    expect(fixed).toContain('| c3ache R=4 [0,7] | 97 | −3 | −0.20 | −2.50 |');
    expect(fixed).toContain('| none | 18 |\n');
    expect(fast).not.toContain('LIBERO');
    expect(fast).toContain('--world-speed fast');
    // a run that is asked for again goes on where it was
    expect(notes().every((line) => line.endsWith('--resume'))).toBe(true);
  });

  it('calibrates in a copy of the bundle, once', () => {
    expect(run(['blocks']).status).toBe(0);
    expect(run(['blocks']).status).toBe(0);
    const calibrations = notes().filter((line) => line.startsWith('calibrate'));
    expect(calibrations.map((line) => line.split(' ').at(-1))).toEqual([
      'updates=3',
      'updates=5',
      'updates=7',
    ]);
    expect(calibrations.every((line) => line.includes(join(folder, 'out', 'bundle')))).toBe(true);
    writeFileSync(join(bundle, 'bundle.json'), '{"another": 1}');
    const refused = run(['blocks']);
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('copy of another bundle')]);
  });

  it('goes on after a run that fails, and says which is not complete', () => {
    const { status, stderr } = run(['dynamic', 'random'], { FAIL: 'dynamic' });
    expect(status).toBe(1);
    expect(stderr).toContain('not complete: dynamic');
    expect(tables()).toContain('## Objects that jump and slip');
  });

  it('refuses what it does not know, and runs nothing', () => {
    expect(run(['grid-fixd'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('grid-fixd: not a run'),
    });
    expect(run(['--episodes'])).toMatchObject({ status: 2, stderr: expect.stringContaining('give a value') });
    expect(existsSync(join(folder, 'notes'))).toBe(false);
  });
});
