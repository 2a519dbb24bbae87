import type { Command } from 'commander';
import { Bundle } from '../bundle/Bundle';
import { verifyFiles } from '../bundle/recordHashes';
import { FastWamError } from '../errors';
import { print, printJson, printLine } from '../terminal';
import { describeBundle } from './describeBundle';
import { hashWeights } from './hashWeights';

/** `fastwam info` */
export function infoCommand(program: Command): Command {
  return program
    .command('info')
    .description('show what a bundle is')
    .argument('<bundle>', 'folder of the bundle')
    .option('--verify', 'hash every byte of weights and graphs, and compare with what was recorded')
    .option('--record', 'hash the weights and record that in bundle.json (as export does, in the background)')
    .option('--json', 'print bundle.json as it was read')
    .action(async (folder: string, options: InfoFlags) => {
      const bundle = Bundle.open(folder);
      if (options.json) {
        printJson(bundle.manifest, 2);
        return;
      }
      print(describeBundle(bundle));
      if (options.record) {
        await hashWeights(bundle);
        printLine('hashes of weights and graphs are recorded');
      }
      if (options.verify) await verify(Bundle.open(folder));
    });
}

interface InfoFlags {
  readonly verify?: boolean;
  readonly record?: boolean;
  readonly json?: boolean;
}

const VERDICTS = {
  same: 'as recorded',
  differs: 'NOT what was recorded',
  unrecorded:
    'no hash recorded to compare with (export hashes in the background; fastwam info --record does it here)',
} as const;

/** @throws FastWamError where a file is not what the bundle was exported with */
async function verify(bundle: Bundle): Promise<void> {
  const files = await verifyFiles(bundle);
  for (const { path, sha256, verdict, damage } of files) {
    printLine(`sha256 ${sha256}  ${path}: ${VERDICTS[verdict]}${damage === undefined ? '' : `; ${damage}`}`);
  }
  const wrong = files.filter(({ verdict, damage }) => verdict === 'differs' || damage !== undefined);
  if (wrong.length === 0) return;
  throw new FastWamError(
    `${wrong.map(({ path }) => path).join(', ')}: not what the bundle was exported with, or damaged; fetch the file again, or export again if it was changed on purpose`,
  );
}
