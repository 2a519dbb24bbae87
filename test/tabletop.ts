import { join } from 'node:path';
import { exportBundle } from '../src/export/exportBundle';
import type { ExportOptions } from '../src/export/exportBundle';
import { temporaryFolder } from './helpers';

const TABLETOP = join(__dirname, '..', 'bundles', 'tabletop');

/** The checkpoint that the bundled model is made of. */
export const TABLETOP_CHECKPOINT = join(TABLETOP, 'checkpoint');
/** What the bundled model is told of its robot. */
export const TABLETOP_ROBOT = join(TABLETOP, 'robot.yaml');

/** Exports the bundled checkpoint anew, where nothing else is said into a temporary folder; returns that folder. */
export function exportTabletopCheckpoint(options: Partial<ExportOptions> = {}): string {
  const checkpoint = (name: string): string => join(TABLETOP_CHECKPOINT, name);
  const out = options.out ?? temporaryFolder();
  exportBundle({
    checkpoint: checkpoint('fastwam.pt'),
    vae: checkpoint('vae_encoder.pth'),
    textEmbeds: checkpoint('text_embeds'),
    stats: checkpoint('dataset_stats.json'),
    instructions: checkpoint('instructions.txt'),
    config: checkpoint('config.json'),
    ...options,
    out,
  });
  return out;
}
