import { byId, svg } from '../../report/page/dom';
import { TIMELINE_CHUNKS } from '../messages';
import type { ChunkMessage } from '../messages';
import { setup } from './setup';

const WIDTH = 1080;
const LEFT = 58;
const TOP = 18;
const STEP = 8;
const BARS = 46;
const STRIP = setup.denoisingSteps * STEP;
const BARS_TOP = TOP + STRIP + 8;
const BOTTOM = BARS_TOP + BARS;
const HEIGHT = BOTTOM + 18;
const CELL = (WIDTH - LEFT) / TIMELINE_CHUNKS;
/** about the width of a letter */
const LETTER = 6.1;
/** Numbers of chunks stand at least so far apart. */
const LABEL_DISTANCE = 26;

/** What a chunk did, in words. */
export function whatItDid({ refreshed, reason, steps }: ChunkMessage): string {
  if (refreshed) return `refresh: ${reason.replaceAll('_', ' ')}`;
  return steps.every((step) => step === 'computed') ? 'in full, not stored' : 're-used';
}

/** One column for each chunk: its denoising steps from top to bottom, its time below. */
export function drawTimeline(chunks: readonly ChunkMessage[]): void {
  const picture = byId('timeline', SVGElement);
  picture.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
  const longest = Math.max(1, ...chunks.map(({ times }) => times.total));
  picture.replaceChildren(
    svg('text', { class: 'tick end', x: LEFT - 6, y: TOP + 8 }, 'step 0'),
    svg('text', { class: 'tick end', x: LEFT - 6, y: TOP + STRIP }, String(setup.denoisingSteps - 1)),
    svg('text', { class: 'tick end', x: LEFT - 6, y: BARS_TOP + 9 }, `${longest.toFixed(0)} ms`),
    svg('path', { class: 'axis', d: `M${LEFT} ${BOTTOM}H${WIDTH}` }),
    ...chunks.map((one, i) => column(one, xOf(i), longest)),
    ...episodeMarks(chunks),
    ...settingMarks(chunks),
  );
  // In a narrow window the newest chunk stays in sight.
  const box = picture.closest('.scroll');
  if (!box) return;
  const newest = (xOf(chunks.length) * picture.getBoundingClientRect().width) / WIDTH;
  box.scrollLeft = Math.max(0, newest - box.clientWidth);
}

const xOf = (index: number): number => LEFT + index * CELL;

function column(one: ChunkMessage, x: number, longest: number): SVGElement {
  const { times, stacks } = one;
  const width = CELL - 1.5;
  const title = [
    `chunk ${one.chunk} of episode ${one.episode}, ${one.configuration}`,
    whatItDid(one),
    `${stacks} stacks, ${times.total} ms (expert ${times.expert})`,
  ].join('\n');
  const cells = runsOf(one.steps).map(({ state, start, end }) =>
    svg('rect', {
      class: `cell-${state}`,
      x,
      y: TOP + start * STEP,
      width,
      height: (end - start) * STEP - 0.7,
    }),
  );
  let y = BOTTOM;
  const bars = stagesOf(one).map(([stage, milliseconds]) => {
    const height = (BARS * milliseconds) / longest;
    y -= height;
    return svg('rect', { class: `stage-${stage}`, x, y, width, height });
  });
  return svg(
    'g',
    { class: 'column' },
    svg('title', {}, title),
    svg('rect', { class: 'hit', x, y: TOP, width: CELL, height: HEIGHT - TOP }),
    ...cells,
    ...bars,
  );
}

/** Where episodes begin, and numbers of chunks as far as there is room. */
function episodeMarks(chunks: readonly ChunkMessage[]): SVGElement[] {
  let labelled = -Infinity;
  return chunks.flatMap((one, i) => {
    const x = xOf(i);
    const begins = i > 0 && chunks[i - 1]?.episode !== one.episode;
    const marks = begins ? [svg('path', { class: 'episode', d: `M${x - 0.75} ${TOP - 3}V${BOTTOM}` })] : [];
    if ((begins || i === 0 || one.chunk % 10 === 0) && x - labelled > LABEL_DISTANCE) {
      // The first one also says what is numbered.
      labelled = i === 0 ? x + 30 : x;
      marks.push(svg('text', { class: 'tick', x, y: HEIGHT - 4 }, `${i === 0 ? 'chunk ' : ''}${one.chunk}`));
    }
    return marks;
  });
}

/** Where settings changed, with their names as far as there is room. */
function settingMarks(chunks: readonly ChunkMessage[]): SVGElement[] {
  const changes = chunks.flatMap(({ configuration }, i) =>
    chunks[i - 1]?.configuration === configuration ? [] : [{ i, name: configuration }],
  );
  return changes.flatMap(({ i, name }, n) => {
    const x = xOf(i);
    const length = LETTER * name.length;
    const room = ((changes[n + 1]?.i ?? TIMELINE_CHUNKS) - i) * CELL;
    const marks = n > 0 ? [svg('path', { class: 'change', d: `M${x - 0.75} 2V${TOP + STRIP}` })] : [];
    if (room > length || n === changes.length - 1) {
      const atEnd = x + length > WIDTH;
      const place = atEnd ? WIDTH : x + (n > 0 ? 3 : 0);
      marks.push(svg('text', { class: `setting${atEnd ? ' end' : ''}`, x: place, y: 11 }, name));
    }
    return marks;
  });
}

function stagesOf({ times }: ChunkMessage): readonly (readonly [string, number])[] {
  const image = times.decode + times.vae;
  return [
    ['vae', image],
    ['prefill', times.prefill],
    ['expert', times.expert],
    ['other', Math.max(0, times.total - image - times.prefill - times.expert)],
  ];
}

/** Neighbouring steps of one state are one bar: what matters is where the states change. */
function runsOf(
  states: ChunkMessage['steps'],
): { readonly state: string; readonly start: number; end: number }[] {
  const found: { readonly state: string; readonly start: number; end: number }[] = [];
  states.forEach((state, k) => {
    const last = found.at(-1);
    if (last?.state === state) last.end = k + 1;
    else found.push({ state, start: k, end: k + 1 });
  });
  return found;
}
