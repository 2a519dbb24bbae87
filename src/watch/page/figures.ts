import { byId, svg } from '../../report/page/dom';
import type { ChunkMessage, Snapshot } from '../messages';
import { NOTHING, setup } from './setup';
import { whatItDid } from './timeline';

/** Rows of the table of chunks. */
const SHOWN_CHUNKS = 8;
const STEPS_WIDTH = 92;

/** The tiles: what was solved with these settings, what the last chunk cost. */
export function drawTiles(state: Snapshot, last: ChunkMessage | undefined): void {
  const row = state.tally.find(
    (one) => one.configuration === state.configuration && one.world === state.worldName,
  );
  tile(
    'success',
    row ? `${row.successes} of ${row.episodes}` : NOTHING,
    row ? `${row.success} %` : 'no episode yet',
  );
  tile(
    'stacks',
    last ? last.stacks.toFixed(last.stacks % 1 ? 2 : 0) : NOTHING,
    last ? whatItDid(last) : `of ${setup.denoisingSteps} without a cache`,
  );
  tile(
    'time',
    last ? `${last.times.total.toFixed(1)} ms` : NOTHING,
    last ? `expert ${last.times.expert.toFixed(1)} ms` : '\u00a0',
  );
  const before = state.lastEpisode;
  byId('tile-episode-note').textContent = before
    ? `before: ${before.success ? 'solved' : 'failed'} after ${before.steps} steps`
    : `limit ${state.stepLimit} steps`;
}

function tile(name: string, value: string, note: string): void {
  byId(`tile-${name}`).textContent = value;
  byId(`tile-${name}-note`).textContent = note;
}

/** The newest chunks, newest first. */
export function drawChunkTable(chunks: readonly ChunkMessage[]): void {
  const rows = chunks
    .slice(-SHOWN_CHUNKS)
    .reverse()
    .map((one) => [
      `${one.episode}.${one.chunk}`,
      one.configuration,
      whatItDid(one),
      stepsPicture(one),
      one.stacks.toFixed(2),
      (one.times.decode + one.times.vae).toFixed(1),
      one.times.prefill.toFixed(1),
      one.times.expert.toFixed(1),
      one.times.total.toFixed(1),
    ]);
  fill(byId('chunks', HTMLTableElement), rows, 4);
}

/** What was counted so far. */
export function drawTally({ tally }: Snapshot): void {
  const rows = tally.map((one) => [
    one.configuration,
    one.world,
    `${one.successes} of ${one.episodes}`,
    one.success,
    one.chunksPerEpisode.toFixed(1),
    one.stacksPerChunk.toFixed(2),
    one.stacksPerEpisode.toFixed(1),
    one.millisecondsPerChunk.toFixed(1),
  ]);
  fill(byId('tally', HTMLTableElement), rows, 2);
}

function stepsPicture({ steps }: ChunkMessage): SVGElement {
  const width = STEPS_WIDTH / steps.length;
  return svg(
    'svg',
    { viewBox: `0 0 ${STEPS_WIDTH} 12`, role: 'img', 'aria-label': steps.join(' ') },
    ...steps.map((state, k) =>
      svg('rect', { class: `cell-${state}`, x: k * width, y: 0, width: width - 1, height: 12 }),
    ),
  );
}

/** @param left so many columns hold words, the others figures */
function fill(table: HTMLTableElement, rows: readonly (readonly (string | Node)[])[], left: number): void {
  table.tBodies[0]?.replaceChildren(
    ...rows.map((cells) => {
      const row = document.createElement('tr');
      cells.forEach((content, i) => {
        const cell = row.insertCell();
        cell.className = i < left ? 'left' : 'right';
        cell.append(content);
      });
      return row;
    }),
  );
}
