import { join } from 'node:path';
import { exportBundle } from '../src/export/exportBundle';
import type { ExportOptions } from '../src/export/exportBundle';
import { FIXTURES, temporaryFolder } from './helpers';

const TABLETOP = join(__dirname, '..', 'bundles', 'tabletop');

/** The checkpoint that the bundled model is made of. */
export const TABLETOP_CHECKPOINT = join(TABLETOP, 'checkpoint');
/** What the bundled model is told of its robot. */
export const TABLETOP_ROBOT = join(TABLETOP, 'robot.yaml');
/** An earlier model of the same world, of which PyTorch's closed-loop runs are kept; it knows no dynamic tasks. */
export const REFERENCE_CHECKPOINT = join(FIXTURES, 'toy', 'checkpoint');

/** Exports a checkpoint of the table-top world, where nothing else is said into a temporary folder; returns that folder. */
export function exportTabletopCheckpoint(
  options: Partial<Omit<ExportOptions, 'checkpoint'>> = {},
  checkpoint = TABLETOP_CHECKPOINT,
): string {
  const out = options.out ?? temporaryFolder();
  exportBundle({
    checkpoint: join(checkpoint, 'fastwam.pt'),
    vae: join(checkpoint, 'vae_encoder.pth'),
    textEmbeds: join(checkpoint, 'text_embeds'),
    stats: join(checkpoint, 'dataset_stats.json'),
    instructions: join(checkpoint, 'instructions.txt'),
    config: join(checkpoint, 'config.json'),
    ...options,
    out,
  });
  return out;
}
