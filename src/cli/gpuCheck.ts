import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { makeOutputFolder } from '../formats/outputFolder';
import { gpuCheck, problemsOf } from '../gpu/gpuCheck';
import { gpuPage } from '../gpu/gpuPage';
import { DEFAULT_EXECUTION, PROVIDER_CHOICES } from '../model/execution';
import { PRECISION_NAMES } from '../model/precisions';
import { print, say } from '../terminal';
import { oneOf, wholeNumber } from './flagValues';

interface GpuCheckFlags {
  readonly bundle: string;
  readonly out: string;
  readonly provider: string;
  readonly device: string;
  readonly threads: string;
  readonly precisions?: string;
  readonly chunks: string;
}

/** `fastwam gpu-check` */
export function gpuCheckCommand(program: Command): Command {
  return program
    .command('gpu-check')
    .description('check a GPU: right numbers, where the nodes run, what a model costs; one JSON and one page')
    .requiredOption('--bundle <dir>', 'a bundle')
    .requiredOption('--out <dir>', 'where gpu-check.json and gpu-check.md go')
    .option('--provider <name>', 'cuda, cpu, or auto: cuda where it starts', 'auto')
    .option('--device <n>', 'CUDA device', '0')
    .option('--threads <n>', 'CPU threads; 0 = one for each core', '0')
    .option(
      '--precisions <list>',
      "of the bundle's figures (default: bf16,fp16 on CUDA, fp32,int8 on the CPU)",
    )
    .option('--chunks <n>', 'chunks of each configuration', '12')
    .action(async (flags: GpuCheckFlags) => {
      const chunks = wholeNumber('--chunks', flags.chunks, 1);
      const precisions = flags.precisions
        ?.split(',')
        .map((name) => oneOf('--precisions', name.trim(), PRECISION_NAMES));
      makeOutputFolder(flags.out);
      const check = await gpuCheck({
        bundle: flags.bundle,
        execution: {
          ...DEFAULT_EXECUTION,
          provider: oneOf('--provider', flags.provider, PROVIDER_CHOICES),
          device: wholeNumber('--device', flags.device),
          threads: wholeNumber('--threads', flags.threads),
        },
        chunks,
        ...(precisions === undefined ? {} : { precisions }),
        onPart: (text) => say(`${text} …`),
      });
      const page = gpuPage(check);
      writeFileSync(join(flags.out, 'gpu-check.json'), `${JSON.stringify(check, null, 2)}\n`);
      writeFileSync(join(flags.out, 'gpu-check.md'), page);
      print(page);
      if (problemsOf(check).length > 0) process.exitCode = 1;
    });
}
