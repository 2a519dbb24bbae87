import type { Command } from 'commander';
import { setUpCuda } from '../setup/setUpCuda';
import { oneOf } from './flagValues';

interface CudaSetupFlags {
  readonly cuda: string;
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

/** `fastwam cuda-setup` */
export function cudaSetupCommand(program: Command): Command {
  return program
    .command('cuda-setup')
    .description(
      'lay the CUDA provider of onnxruntime and its libraries into ./.cuda, every wheel pinned by its hash',
    )
    .option(
      '--cuda <version>',
      '13: wheels from PyPI, for GPUs from Turing (RTX 20, T4) on with driver 580 or later; 12: the provider of ' +
        "onnxruntime-node's own install script (NuGet), also for older GPUs and drivers (525 or later)",
      '13',
    )
    .option('--dry-run', 'only say what would be done')
    .option('--force', 'do it anew although it was done')
    .addHelpText(
      'after',
      '\nAn interrupted run goes on where it was.\nEnvironment: FAST_WAM_CUDA_DIR (default ./.cuda), PYTHON (default python3; only its pip and zipfile are used).',
    )
    .action(({ cuda, dryRun, force }: CudaSetupFlags) =>
      setUpCuda({
        cuda: oneOf('--cuda', cuda, ['12', '13']),
        dryRun: dryRun === true,
        force: force === true,
      }),
    );
}
