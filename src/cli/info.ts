import type { Command } from 'commander';
import { Bundle } from '../bundle/Bundle';
import { contentHash } from '../bundle/fingerprint';
import { print, printJson, printLine } from '../terminal';
import { describeBundle } from './describeBundle';

/** `fastwam info` */
export function infoCommand(program: Command): Command {
  return program
    .command('info')
    .description('show what a bundle is')
    .argument('<bundle>', 'folder of the bundle')
    .option('--verify', 'hash every byte of the weights')
    .option('--json', 'print bundle.json as it was read')
    .action(async (folder: string, options: { verify?: boolean; json?: boolean }) => {
      const bundle = Bundle.open(folder);
      if (options.json) {
        printJson(bundle.manifest, 2);
        return;
      }
      print(describeBundle(bundle));
      if (options.verify) {
        for (const file of [bundle.policyWeights.path, bundle.vaeWeights.path]) {
          printLine(`sha256 ${await contentHash(file)}  ${file}`);
        }
      }
    });
}
