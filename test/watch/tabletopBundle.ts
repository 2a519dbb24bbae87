import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Bundle } from '../../src/bundle/Bundle';
import { promptHash } from '../../src/formats/textContext';
import { tasksOf, type Suite } from '../../src/sim/tasks';
import { temporaryFolder } from '../helpers';
import { TABLETOP_CHECKPOINT, TABLETOP_ROBOT, exportTabletopCheckpoint } from '../tabletop';

const PROMPT = "A video recorded from a robot's point of view executing the following instruction: ";

/** The bundled model, exported anew, knowing the instructions of these suites only. */
export function tabletopBundle(...suites: readonly Suite[]): Bundle {
  const folder = temporaryFolder();
  const known = suites.flatMap(tasksOf).map(({ instruction }) => instruction);
  const instructions = join(folder, 'instructions.txt');
  writeFileSync(instructions, `${known.join('\n')}\n`);
  const textEmbeds = join(folder, 'text_embeds');
  const hashes = known.map((instruction) => promptHash(PROMPT + instruction));
  cpSync(join(TABLETOP_CHECKPOINT, 'text_embeds'), textEmbeds, {
    recursive: true,
    filter: (path) => !path.endsWith('.pt') || hashes.some((hash) => path.includes(hash)),
  });
  return Bundle.open(
    exportTabletopCheckpoint({ textEmbeds, instructions, robot: TABLETOP_ROBOT, selfContained: true }),
  );
}
