import type { Command } from 'commander';
import { UsageError } from '../errors';
import { readModelConfig } from '../export/modelConfig';
import { synthesise } from '../export/synth';
import { ProgressBar } from '../report/ProgressBar';
import { printLine, progressStream } from '../terminal';
import { collect, wholeNumber } from './flagValues';

interface SynthFlags {
  readonly config: string;
  readonly out: string;
  readonly seed: string;
  readonly dtype: string;
  readonly sparse?: boolean;
  readonly overwrite?: boolean;
  readonly task: readonly string[];
}

/** `fastwam synth` */
export function synthCommand(program: Command): Command {
  return program
    .command('synth')
    .description("write a checkpoint with random weights of any size in the original's layout")
    .requiredOption('--config <name|file>', 'libero, robotwin, or a file with the sizes')
    .requiredOption('--out <dir>', 'folder of the checkpoint')
    .option('--seed <n>', 'seed of the weights', '0')
    .option('--dtype <type>', 'F32 or BF16', 'F32')
    .option('--sparse', 'weights as holes that read as zeros: full size, no space')
    .option('--overwrite', 'replace a checkpoint that is there')
    .option('--task <text>', 'a task that gets a text context; may be repeated', collect, [])
    .action((flags: SynthFlags) => {
      const { dtype } = flags;
      if (dtype !== 'F32' && dtype !== 'BF16') throw new UsageError(`--dtype ${dtype}: expected F32 or BF16`);
      const bar = new ProgressBar({ stream: progressStream, label: 'weights', total: 100 });
      const report = synthesise(readModelConfig(flags.config).config, flags.out, {
        seed: wholeNumber('--seed', flags.seed),
        dtype,
        sparse: flags.sparse === true,
        overwrite: flags.overwrite === true,
        ...(flags.task.length > 0 ? { tasks: flags.task } : {}),
        onProgress: (done, total) => bar.update(Math.floor((100 * done) / total)),
      });
      bar.finish();
      const millions = (report.parameters / 1e6).toFixed(1);
      printLine(`${millions} M parameters -> ${report.checkpoint}, ${report.vae}`);
    });
}
