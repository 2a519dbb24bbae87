import type { EpisodeRecord } from '../../sim/episodeRecord';
import { markup, type Markup } from '../Markup';
import { drawing } from '../plots/frame';

const WIDTH = 1080;
const LEFT = 150;
const ROW = 16;
const TOP = 6;
const BOTTOM = 22;
const LARGEST_CELL = 14;

/** Episodes of one configuration, one row each: chunks from left to right, refreshed or not. */
export function refreshTimeline(name: string, episodes: readonly EpisodeRecord[]): Markup {
  const longest = Math.max(1, ...episodes.map(({ refreshes }) => refreshes.length));
  const cell = Math.min(LARGEST_CELL, (WIDTH - LEFT - 70) / longest);
  const height = TOP + episodes.length * ROW + BOTTOM;
  const paths = { F: '', r: '' };
  episodes.forEach(({ refreshes }, row) => {
    Array.from(refreshes).forEach((letter, chunk) => {
      const state = letter === 'F' ? 'F' : 'r';
      paths[state] +=
        `M${(LEFT + chunk * cell).toFixed(1)} ${TOP + row * ROW}h${(cell - 1).toFixed(1)}v${ROW - 4}h-${(cell - 1).toFixed(1)}z`;
    });
  });
  const ticks = Array.from({ length: Math.floor(longest / 10) + 1 }, (_, i) => 10 * i);
  return drawing(
    WIDTH,
    height,
    `Refreshes of ${name} in some episodes`,
    markup`<path class="cell-refresh" d="${paths.F}"/><path class="cell-reused" d="${paths.r}"/>${episodes.map(
      ({ suite, episode, success, refreshes }, row) =>
        markup`<text class="tick end" x="${LEFT - 8}" y="${TOP + row * ROW + 10}">${suite}, episode ${episode}</text><text class="tick" x="${LEFT + refreshes.length * cell + 6}" y="${TOP + row * ROW + 10}">${success ? 'solved' : 'failed'}</text>`,
    )}${ticks.map(
      (chunk) =>
        markup`<text class="tick" x="${LEFT + chunk * cell}" y="${height - 8}">${chunk === 0 ? 'chunk 0' : chunk}</text>`,
    )}`,
    'plot wide',
  );
}
