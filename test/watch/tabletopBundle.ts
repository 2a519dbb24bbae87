import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Bundle } from '../../src/bundle/Bundle';
import { exportBundle } from '../../src/export/exportBundle';
import { promptHash } from '../../src/formats/textContext';
import { tasksOf, type Suite } from '../../src/sim/tasks';
import { temporaryFolder } from '../helpers';

const TABLETOP = join(__dirname, '..', '..', 'bundles', 'tabletop');
const CHECKPOINT = join(TABLETOP, 'checkpoint');
const PROMPT = "A video recorded from a robot's point of view executing the following instruction: ";

/** The bundled model, exported anew, knowing the instructions of these suites only. */
export function tabletopBundle(...suites: readonly Suite[]): Bundle {
  const textEmbeds = join(temporaryFolder(), 'text_embeds');
  mkdirSync(textEmbeds);
  const hashes = suites.flatMap(tasksOf).map(({ instruction }) => promptHash(PROMPT + instruction));
  cpSync(join(CHECKPOINT, 'text_embeds'), textEmbeds, {
    recursive: true,
    filter: (path) => !path.endsWith('.pt') || hashes.some((hash) => path.includes(hash)),
  });
  const out = temporaryFolder();
  exportBundle({
    checkpoint: join(CHECKPOINT, 'fastwam.pt'),
    vae: join(CHECKPOINT, 'vae_encoder.pth'),
    textEmbeds,
    stats: join(CHECKPOINT, 'dataset_stats.json'),
    config: join(CHECKPOINT, 'config.json'),
    robot: join(TABLETOP, 'robot.yaml'),
    selfContained: true,
    out,
  });
  return Bundle.open(out);
}
