import { SLOTS } from '../sim/geometry';
import { renderIndices } from '../sim/renderer';
import type { ObjectKind, TabletopWorld } from '../sim/TabletopWorld';
import type { ObjectMessage, WorldMessage } from './messages';

/** What a page needs to draw the table and both cameras. */
export function worldMessage(
  world: TabletopWorld,
  when: Pick<WorldMessage, 'episode' | 'step' | 'sinceChunk'>,
): WorldMessage {
  const [x = 0, y = 0] = world.gripper;
  const { buffer } = renderIndices(world);
  return {
    ...when,
    frame: Buffer.from(buffer).toString('base64'),
    gripper: [rounded(x), rounded(y)],
    opening: rounded(world.opening),
    blocks: objects(world, 'block'),
    plates: objects(world, 'plate'),
    held: world.held,
    pair: world.subTask,
  };
}

function objects(world: TabletopWorld, kind: ObjectKind): ObjectMessage[] {
  const [places, colours] =
    kind === 'block' ? [world.blocks, world.blockColours] : [world.plates, world.plateColours];
  return Array.from({ length: SLOTS }, (_, slot) => ({
    x: rounded(places[2 * slot] ?? 0),
    y: rounded(places[2 * slot + 1] ?? 0),
    colour: colours[slot] ?? -1,
    moving: world.isMoving(kind, slot),
  }));
}

const rounded = (value: number): number => Number(value.toFixed(4));
