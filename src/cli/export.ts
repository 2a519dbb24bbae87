import type { Command } from 'commander';
import { WEIGHT_SETS } from '../bundle/schema';
import { exportBundle } from '../export/exportBundle';
import type { ExportOptions } from '../export/exportBundle';
import { findingLine } from '../export/Finding';
import { FLOAT_TYPES } from '../formats/halfPrecision';
import { oneOf } from './oneOf';

interface ExportFlags extends Omit<ExportOptions, 'torchDtype' | 'timestepDtype' | 'weights'> {
  readonly torchDtype?: string;
  readonly timestepDtype?: string;
  readonly weights?: string;
}
import { printLine, say } from '../terminal';

/** `fastwam export` */
export function exportCommand(program: Command): Command {
  return program
    .command('export')
    .description('make a bundle of a Fast-WAM checkpoint or of a LeRobot policy')
    .option('--checkpoint <path>', 'Fast-WAM checkpoint (.pt, .safetensors, an index of shards, or a folder)')
    .option('--lerobot <dir>', 'folder of a LeRobot policy, in place of --checkpoint and --stats')
    .option(
      '--mosaic <parts>',
      'where a LeRobot policy knows one composed picture: robotwin, above,left,right, or a YAML file',
    )
    .requiredOption('--vae <path>', 'Wan 2.2 VAE (.pth, .safetensors, or a folder of Diffusers)')
    .option('--text-embeds <dir>', 'folder of cached T5 contexts')
    .option('--stats <file>', 'dataset statistics (JSON); without it actions stay normalised')
    .option('--robot <file>', 'names, units, cameras, limits and rates of the robot (YAML)')
    .option('--instructions <file>', 'task texts, one a line, so that an unknown one can be answered')
    .option('--config <name|file>', 'libero, robotwin, or a JSON or YAML file with the sizes')
    .option(
      '--torch-dtype <type>',
      "in place of a LeRobot policy's own: how images and timesteps are rounded",
    )
    .option(
      '--timestep-dtype <type>',
      `${FLOAT_TYPES.join(', ')}: how timesteps are rounded; by default as the checkpoint was run`,
    )
    .option('--weights <set>', 'trained or averaged, for a file that holds a moving average too')
    .option('--name <name>', 'name of the bundle')
    .option('--self-contained', 'carry the weights instead of referring to them')
    .requiredOption('--out <dir>', 'folder of the bundle')
    .action(({ torchDtype, timestepDtype, weights, ...options }: ExportFlags) => {
      const { manifest, notes, findings } = exportBundle({
        ...options,
        ...(torchDtype !== undefined && { torchDtype: oneOf('--torch-dtype', torchDtype, FLOAT_TYPES) }),
        ...(timestepDtype !== undefined && {
          timestepDtype: oneOf('--timestep-dtype', timestepDtype, FLOAT_TYPES),
        }),
        ...(weights !== undefined && { weights: oneOf('--weights', weights, WEIGHT_SETS) }),
      });
      for (const note of notes) say(note);
      for (const finding of findings) say(findingLine(finding));
      printLine(`bundle "${manifest.name}" is ready: fastwam info ${options.out}`);
    });
}
