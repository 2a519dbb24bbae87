import { CommanderError } from 'commander';
import { Interrupted, UsageError, messageOf } from '../errors';
import { withoutRosArguments } from '../ros/client/rosArguments';
import { codeWithOutput, guardStreams, say, sayText } from '../terminal';
import { parseCommandLine } from './program';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/**
 * Runs a command line. Returns the exit code: 0 for a full result, 1 for a failed run, 2 for wrong usage, 130 where
 * Ctrl-C stopped it.
 */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  try {
    // What `fastwam ros` is given belongs to the command that it runs.
    await parseCommandLine(argv[0] === 'ros' ? argv : withoutRosArguments(argv));
    return process.exitCode === undefined ? 0 : Number(process.exitCode);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    tell(error, argv);
    if (error instanceof Interrupted) return error.exitCode;
    return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
  }
}

function tell(error: unknown, argv: readonly string[]): void {
  say(`fastwam: ${messageOf(error)}`);
  if (argv.includes('--verbose') && error instanceof Error) sayText(`${error.stack ?? ''}\n`);
}

guardStreams();
// Before any library sets handlers of its own: those of WebAssembly modules print their own source.
process.on('uncaughtException', (error) => {
  tell(error, process.argv);
  process.exit(EXIT_FAILED);
});
void runCommandLine(process.argv.slice(2)).then((code) => {
  process.exitCode = codeWithOutput(code);
});
