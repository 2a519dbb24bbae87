import type { Command } from 'commander';
import { exportBundle } from '../export/exportBundle';
import type { ExportOptions } from '../export/exportBundle';

/** `fastwam export` */
export function exportCommand(program: Command): Command {
  return program
    .command('export')
    .description('make a bundle of a Fast-WAM checkpoint')
    .requiredOption('--checkpoint <file>', 'Fast-WAM checkpoint (.pt or .safetensors)')
    .requiredOption('--vae <file>', 'Wan 2.2 VAE (.pth or .safetensors)')
    .requiredOption('--text-embeds <dir>', 'folder of cached T5 contexts')
    .option('--stats <file>', 'dataset statistics (JSON); without it actions stay normalised')
    .option('--robot <file>', 'names, units, cameras, limits and rates of the robot (YAML)')
    .option('--instructions <file>', 'task texts, one a line, so that an unknown one can be answered')
    .option('--config <name|file>', 'libero, robotwin, or a JSON or YAML file with the sizes')
    .option('--name <name>', 'name of the bundle')
    .option('--self-contained', 'carry the weights instead of referring to them')
    .requiredOption('--out <dir>', 'folder of the bundle')
    .action((options: ExportOptions) => {
      const { manifest, notes } = exportBundle(options);
      for (const note of notes) process.stderr.write(`${note}\n`);
      process.stdout.write(`bundle "${manifest.name}" is ready: fastwam info ${options.out}\n`);
    });
}
