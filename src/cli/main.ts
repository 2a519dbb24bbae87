import { Command, CommanderError } from 'commander';
import { UsageError, messageOf } from '../errors';
import { withoutRosArguments } from '../ros/client/rosArguments';
import { COMMANDS } from './commands';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

function buildProgram(): Command {
  const program = new Command('fastwam')
    .description('Run the Fast-WAM world-action model, cache what it repeats, and measure what that costs.')
    .option('--verbose', 'show stack traces of errors')
    .showHelpAfterError('(fastwam --help lists the commands)')
    .showSuggestionAfterError()
    .exitOverride();
  for (const register of COMMANDS) {
    const command = register(program);
    command.exitOverride().option('--verbose', 'show stack traces of errors');
  }
  return program;
}

/** Runs a command line. Returns the exit code: 0 for a full result, 1 for a failed run, 2 for wrong usage. */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  try {
    await buildProgram().parseAsync(withoutRosArguments(argv), { from: 'user' });
    return process.exitCode === undefined ? 0 : Number(process.exitCode);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    process.stderr.write(`fastwam: ${messageOf(error)}\n`);
    if (argv.includes('--verbose') && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`);
    return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
  }
}

void runCommandLine(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
