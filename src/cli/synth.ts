import type { Command } from 'commander';
import { UsageError } from '../errors';
import { readModelConfig } from '../export/modelConfig';
import { synthesise } from '../export/synth';
import type { SynthOptions } from '../export/synth';
import { synthesiseLerobot } from '../export/synthLerobot';
import { UMT5_XXL, readEncoderSizes, synthesiseEncoder } from '../export/synthEncoder';
import { ProgressBar } from '../report/ProgressBar';
import { printLine, progressStream } from '../terminal';
import { collect, wholeNumber } from './flagValues';

interface SynthFlags {
  readonly config?: string;
  readonly textEncoder?: boolean;
  readonly lerobot?: boolean;
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
    .description(
      "write a checkpoint, or a text encoder, with random weights of any size in the original's layout",
    )
    .option(
      '--config <name|file>',
      "libero, robotwin, or a file with the sizes; for --text-encoder its config.json (default: umt5-xxl's)",
    )
    .option('--text-encoder', 'write a UMT5 text encoder with a tokenizer in place of a checkpoint')
    .option('--lerobot', 'write a LeRobot policy (OUT/policy) in place of a checkpoint of the original')
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
      const options = {
        seed: wholeNumber('--seed', flags.seed),
        dtype,
        sparse: flags.sparse === true,
        overwrite: flags.overwrite === true,
        onProgress: (done: number, total: number) => bar.update(Math.floor((100 * done) / total)),
      } as const;
      const { parameters, files } = flags.textEncoder
        ? encoder(flags, options)
        : (flags.lerobot ? lerobotPolicy : checkpoint)(flags, {
            ...options,
            ...(flags.task.length > 0 && { tasks: flags.task }),
          });
      bar.finish();
      printLine(`${(parameters / 1e6).toFixed(1)} M parameters -> ${files.join(', ')}`);
    });
}

interface Written {
  readonly parameters: number;
  readonly files: readonly string[];
}

function checkpoint({ config, out }: SynthFlags, options: SynthOptions): Written {
  if (config === undefined) throw new UsageError('--config: name libero, robotwin, or a file with the sizes');
  const report = synthesise(readModelConfig(config).config, out, options);
  return { parameters: report.parameters, files: [report.checkpoint, report.vae] };
}

function lerobotPolicy({ config, out }: SynthFlags, options: SynthOptions): Written {
  if (config === undefined) throw new UsageError('--config: name libero, robotwin, or a file with the sizes');
  if (options.tasks)
    throw new UsageError('--task belongs to a checkpoint of the original; a policy has no contexts');
  const report = synthesiseLerobot(readModelConfig(config).config, out, options);
  return { parameters: report.parameters, files: [report.policy, report.vae] };
}

function encoder({ config, out, task }: SynthFlags, options: SynthOptions): Written {
  if (task.length > 0) throw new UsageError('--task belongs to a checkpoint, not to a text encoder');
  const dims = config === undefined ? UMT5_XXL : readEncoderSizes(config);
  const report = synthesiseEncoder(dims, out, options);
  return { parameters: report.parameters, files: [report.weights, report.tokenizer] };
}
