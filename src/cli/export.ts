import type { Command } from 'commander';
import { Bundle } from '../bundle/Bundle';
import { CLEANINGS, WEIGHT_SETS } from '../bundle/schema';
import { exportBundle } from '../export/exportBundle';
import { instructionsBeside } from '../export/instructionsBeside';
import type { ExportOptions, ExportReport } from '../export/exportBundle';
import { findingLine } from '../export/Finding';
import { FLOAT_TYPES } from '../formats/halfPrecision';
import { exportWithEncoder } from '../export/exportWithEncoder';
import { tryBundle } from '../model/tryWeights';
import { printLine, say } from '../terminal';
import { EncodingProgress, describeAdded } from './encode';
import { oneOf } from './flagValues';
import { hashInBackground, hashWeights } from './hashWeights';

interface ExportFlags extends Omit<ExportOptions, 'torchDtype' | 'timestepDtype' | 'weights' | 'cleaning'> {
  readonly textEncoder?: string;
  readonly tokenizer?: string;
  readonly textCleaning?: string;
  readonly torchDtype?: string;
  readonly timestepDtype?: string;
  readonly weights?: string;
  readonly hash: string;
}

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
    .option('--text-encoder <path>', 'folder or file of the UMT5 encoder, which encodes --instructions')
    .option('--tokenizer <path>', 'its tokenizer.json or spiece.model, where it does not lie beside it')
    .option(
      '--text-cleaning <rule>',
      'upstream or none: what is done to prompts before encoding; by default as the original or LeRobot trained',
    )
    .option('--stats <file>', 'dataset statistics (JSON); without it actions stay normalised')
    .option('--robot <file>', 'names, units, cameras, limits and rates of the robot (YAML)')
    .option(
      '--instructions <file>',
      'task texts, one a line, so that an unknown one can be answered (default: instructions.txt beside the checkpoint)',
    )
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
    .option(
      '--hash <when>',
      'when the weights are hashed for info --verify: background (large ones, by a process that goes on after the command), now (the command waits) or later (fastwam info --record does it)',
      'background',
    )
    .requiredOption('--out <dir>', 'folder of the bundle')
    .action(
      async ({
        textEncoder,
        tokenizer,
        textCleaning,
        torchDtype,
        timestepDtype,
        weights,
        hash,
        ...given
      }: ExportFlags) => {
        const instructions =
          given.instructions ?? instructionsBeside([given.checkpoint, given.lerobot, given.textEmbeds]);
        if (instructions !== given.instructions) say(`instructions are taken from ${instructions ?? ''}`);
        const hashing = oneOf('--hash', hash, ['background', 'now', 'later']);
        const options: ExportOptions = {
          ...given,
          ...(instructions !== undefined && { instructions }),
          ...(torchDtype !== undefined && { torchDtype: oneOf('--torch-dtype', torchDtype, FLOAT_TYPES) }),
          ...(timestepDtype !== undefined && {
            timestepDtype: oneOf('--timestep-dtype', timestepDtype, FLOAT_TYPES),
          }),
          ...(weights !== undefined && { weights: oneOf('--weights', weights, WEIGHT_SETS) }),
          ...(textCleaning !== undefined && { cleaning: oneOf('--text-cleaning', textCleaning, CLEANINGS) }),
        };
        const sayReport = ({ notes, findings }: ExportReport): void => {
          for (const note of notes) say(note);
          for (const finding of findings) say(findingLine(finding));
        };
        if (textEncoder === undefined) {
          sayReport(exportBundle(options));
        } else {
          const progress = new EncodingProgress();
          const { exported, contexts } = await exportWithEncoder(options, {
            textEncoder,
            ...(tokenizer !== undefined && { tokenizer }),
            onProgress: progress.update,
          }).finally(() => progress.finish());
          sayReport(exported);
          for (const line of describeAdded(contexts)) printLine(line);
        }
        const bundle = Bundle.open(options.out);
        await tryBundle(bundle);
        printLine(`bundle "${bundle.manifest.name}" is ready: fastwam info ${options.out}`);
        if (hashing === 'now') await hashWeights(bundle);
        else if (hashing === 'background') await hashInBackground(bundle);
      },
    );
}
