import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commandBlocks } from '../../scripts/readmeBlocks';
import { buildProgram } from '../../src/cli/program';

const ROOT = join(__dirname, '..', '..');

describe('the blocks of a page', () => {
  it('are those of a shell, and say why they are not run in the line before', () => {
    const page = [
      '```sh',
      'one',
      '```',
      '',
      '```yaml',
      'a: b',
      '```',
      '<!-- not run: a robot -->',
      '',
      '```sh',
      'two',
      'three',
      '```',
    ];
    expect(commandBlocks(page.join('\n'))).toEqual([
      { line: 2, commands: 'one' },
      { line: 11, commands: 'two\nthree', notRun: 'a robot' },
    ]);
  });

  it('are refused where one does not end', () => {
    expect(() => commandBlocks('```sh\nnpm start')).toThrow('line 1');
  });
});

/** The words of a command as a shell takes them, with double quotes as the only ones. */
function shellWords(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|\S+/g)].map(([word, quoted]) => quoted ?? word);
}

describe('README.md', () => {
  const blocks = commandBlocks(readFileSync(join(ROOT, 'README.md'), 'utf8'));

  it('has blocks that CI runs, and every other one says why not', () => {
    expect(blocks.filter(({ notRun }) => notRun === undefined).length).toBeGreaterThanOrEqual(4);
    for (const { notRun } of blocks) if (notRun !== undefined) expect(notRun.length).toBeGreaterThan(10);
  });

  /** Also of the blocks that are not run: commands and options that there are, and files that there are. */
  it('says only commands, options and shipped files that there are', () => {
    for (const { commands } of blocks) {
      for (const line of commands.replace(/\\\n/g, ' ').split('\n')) {
        for (const [, file] of line.matchAll(/(?<=\s)((?:params|bags|bundles|docs|scripts)\/[\w./-]+)/g)) {
          expect(existsSync(join(ROOT, file!)), `${line}: ${file}`).toBe(true);
        }
        for (const [, script] of line.matchAll(/^npm run ([\w:]+)/g)) {
          const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
            scripts: object;
          };
          expect(Object.keys(scripts), line).toContain(script);
        }
        const [, words] = /^npx fastwam (.*?)(?:\s+#.*)?$/.exec(line) ?? [];
        if (words === undefined || words.startsWith('-')) continue;
        const program = buildProgram({ out: () => undefined, err: () => undefined });
        for (const command of program.commands) command.action(() => undefined);
        expect(() => program.parse(shellWords(words), { from: 'user' }), line).not.toThrow();
      }
    }
  });
});
