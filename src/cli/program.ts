import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import type { Option } from 'commander';
import { packageVersion } from '../evaluation/provenance';
import { print, sayText } from '../terminal';
import { COMMANDS } from './commands';
import { completionCommand } from './completion';
import { EXAMPLES } from './examples';

/** Where the commands write what concerns the command line itself: help, and what is wrong with it. */
export interface ProgramOutput {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

const TO_THE_TERMINAL: ProgramOutput = {
  out: print,
  err: sayText,
};

/** The whole of `fastwam`, with its help; nothing runs before it parses a command line. */
export function buildProgram(output: ProgramOutput = TO_THE_TERMINAL): Command {
  const program = new Command('fastwam')
    .description('Run the Fast-WAM world-action model, cache what it repeats, and measure what that costs.')
    .version(packageVersion(join(__dirname, '..', '..', 'package.json')), '--version', 'print the version')
    .option('--verbose', 'show stack traces of errors')
    .showHelpAfterError('(fastwam --help lists the commands)')
    .showSuggestionAfterError()
    .enablePositionalOptions()
    .configureHelp({ optionDescription })
    .configureOutput({ writeOut: output.out, writeErr: output.err })
    .addHelpText('after', '\nfastwam <command> --help shows the options of a command, and examples.')
    .exitOverride();
  for (const register of [...COMMANDS, completionCommand]) {
    const command = register(program);
    const name = command.name();
    command
      .exitOverride()
      .option('--verbose', 'show stack traces of errors')
      .showHelpAfterError(`(fastwam ${name} --help shows its options, and examples)`)
      .addHelpText('after', exampleText(EXAMPLES[name] ?? []));
  }
  return program;
}

/**
 * Parses and runs a command line. What is misspelt is told before what is missing: `replay --parms x.yaml` lacks
 * `--params` only because of the slip.
 * @throws CommanderError for a command line that cannot be meant, after its message has been written; whatever the
 * command throws
 */
export async function parseCommandLine(argv: readonly string[], output = TO_THE_TERMINAL): Promise<void> {
  let complaint = '';
  const program = buildProgram({
    out: output.out,
    err: (text) => {
      complaint += text;
    },
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.code.startsWith('commander.missing')) {
      complaint = misspelling(argv) ?? complaint;
    }
    throw error;
  } finally {
    if (complaint !== '') output.err(complaint);
  }
}

/** The message about an unknown option or a surplus word; undefined where every word is understood. */
function misspelling(argv: readonly string[]): string | undefined {
  let complaint = '';
  const lenient = buildProgram({
    out: () => undefined,
    err: (text) => {
      complaint += text;
    },
  });
  for (const command of lenient.commands) {
    command.action(() => undefined);
    for (const option of command.options) option.makeOptionMandatory(false);
  }
  try {
    lenient.parse([...argv], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.code === 'commander.unknownOption') return complaint;
  }
  return undefined;
}

/** What an option is for, what it is where it is not given, and whether it must be given. */
function optionDescription({ description, defaultValue, mandatory }: Option): string {
  const hasDefault =
    typeof defaultValue === 'string' || (Array.isArray(defaultValue) && defaultValue.length > 0);
  return `${description}${hasDefault ? ` (default: ${String(defaultValue)})` : ''}${mandatory ? ' (required)' : ''}`;
}

function exampleText(examples: readonly string[]): string {
  return examples.length === 0 ? '' : `\nExamples:\n${examples.map((line) => `  $ ${line}\n`).join('')}`;
}
