import { CommanderError } from 'commander';
import { UsageError, messageOf } from '../errors';
import { withoutRosArguments } from '../ros/client/rosArguments';
import { parseCommandLine } from './program';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** Runs a command line. Returns the exit code: 0 for a full result, 1 for a failed run, 2 for wrong usage. */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  try {
    // What `fastwam ros` is given belongs to the command that it runs.
    await parseCommandLine(argv[0] === 'ros' ? argv : withoutRosArguments(argv));
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
