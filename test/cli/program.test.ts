import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommanderError } from 'commander';
import { describe, expect, it, vi } from 'vitest';
import { completionScript } from '../../src/cli/completion';
import { EXAMPLES } from '../../src/cli/examples';
import { buildProgram, parseCommandLine } from '../../src/cli/program';

const ROOT = join(__dirname, '..', '..');

/** What a command line prints about itself, and commander's code for it. */
async function told(...argv: string[]): Promise<{ out: string; err: string; code: string | undefined }> {
  let out = '';
  let err = '';
  let code: string | undefined;
  try {
    await parseCommandLine(argv, { out: (text) => (out += text), err: (text) => (err += text) });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    code = error.code;
  }
  return { out, err, code };
}

/** The words of a line as a shell would split it, without what comes before `fastwam`. */
function wordsOf(line: string): string[] {
  const words = [...line.replace(/\\\n/g, ' ').matchAll(/"([^"]*)"|(\S+)/g)].map(([, a, b]) => a ?? b ?? '');
  // `fastwam ros` runs a command that may be another one of fastwam.
  return words.slice(words.lastIndexOf('fastwam') + 1);
}

describe('fastwam', () => {
  it('says its version, the one of package.json', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect((await told('--version')).out).toBe(`${version}\n`);
  });

  it('names the nearest option, also where a required one is missing because of the slip', async () => {
    expect(await told('replay', '--hepl')).toMatchObject({
      err: expect.stringContaining('Did you mean --help?'),
    });
    const { err, code } = await told('replay', 'bags/tabletop_demo', '--parms', 'a.yaml');
    expect(code).toBe('commander.missingMandatoryOptionValue');
    expect(err).toContain("unknown option '--parms'");
    expect(err).toContain('Did you mean --params?');
    expect(err).not.toContain('not specified');
  });

  it('names the nearest command', async () => {
    expect((await told('simulte')).err).toContain('Did you mean simulate?');
  });

  it('names what is missing where nothing is misspelt, and where help is', async () => {
    const { err } = await told('replay', 'bags/tabletop_demo');
    expect(err).toBe(
      "error: required option '--params <file>' not specified\n(fastwam replay --help shows its options, and examples)\n",
    );
  });
});

describe('the help', () => {
  const program = buildProgram();
  const names = program.commands.map((command) => command.name());

  it.each(names)('of %s marks what is required, shows no empty list and has examples', async (name) => {
    const { out, code } = await told(name, '--help');
    expect(code).toBe('commander.helpDisplayed');
    const command = program.commands.find((one) => one.name() === name);
    const required = command?.options.filter((option) => option.mandatory) ?? [];
    expect(out.match(/\(\s*required\)/g) ?? []).toHaveLength(required.length);
    expect(out).not.toContain('[]');
    expect(out).toContain('Examples:\n  $ ');
  });

  it('has examples of commands that there are, and each can be parsed', () => {
    expect(Object.keys(EXAMPLES).sort()).toEqual([...names].sort());
    for (const [name, lines] of Object.entries(EXAMPLES)) {
      for (const line of lines) {
        const { commands, parse } = stubbed();
        const words = wordsOf(line.replace(/^source <\(|\)$| \| source$/g, ''));
        expect(words[0]).toBe(name);
        expect(() => parse(words), line).not.toThrow();
        expect(commands).toEqual([name]);
      }
    }
  });
});

/** The program with actions that only say that they were called. */
function stubbed(): { commands: string[]; parse: (words: string[]) => void } {
  const commands: string[] = [];
  const program = buildProgram({ out: () => undefined, err: () => undefined });
  for (const command of program.commands) command.action(() => void commands.push(command.name()));
  return { commands, parse: (words) => void program.parse(words, { from: 'user' }) };
}

describe('the completion of a shell', () => {
  const program = buildProgram();
  /** What bash offers for a command line; the last word is the one being typed. */
  const offered = (...words: string[]): string[] => {
    const script = `${completionScript(program, 'bash')}
      COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
      _fastwam; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, status, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    return stdout.split('\n').filter(Boolean);
  };

  it('offers commands, options of a command, and the words that an option takes', () => {
    expect(offered('fastwam', 're')).toEqual(['replay', 'record']);
    expect(offered('fastwam', 'replay', 'bag', '--tol')).toEqual(['--tolerance', '--tolerance-measure']);
    expect(offered('fastwam', 'simulate', '--policy', 'world')).toEqual(['worldcache_ca', 'worldcache_ht']);
    expect(offered('fastwam', 'completion', '')).toEqual(expect.arrayContaining(['bash', 'zsh', 'fish']));
  });

  it('leaves files to the shell', () => {
    expect(offered('fastwam', 'info', 'bun')).toEqual([]);
    expect(offered('fastwam', 'replay', 'bag', '--params', 'p')).toEqual([]);
  });

  it.each(['zsh', 'fish'] as const)(
    'has every command and option for %s, and parses where it is installed',
    (shell) => {
      const script = completionScript(program, shell);
      for (const command of program.commands) {
        expect(script).toContain(command.name());
        for (const { long } of command.options) expect(script).toContain(long?.slice(2));
      }
      const { error, status, stderr } = spawnSync(shell, ['-n'], { input: script, encoding: 'utf8' });
      if (error) console.warn(`${shell} is not there: its completion was not parsed`);
      else expect([status, stderr]).toEqual([0, '']);
    },
  );

  it('is refused for another shell, with the ones there are', async () => {
    vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    await expect(parseCommandLine(['completion', 'powershell'])).rejects.toThrow('expected bash, zsh, fish');
    vi.restoreAllMocks();
  });
});
