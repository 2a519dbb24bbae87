/** Runs in the live page: shows what the program tells (server-sent events) and sends what a person sets. */
import { byId, onColourScheme } from '../../report/page/dom';
import { TIMELINE_CHUNKS } from '../messages';
import type { ChunkMessage, PlanMessage, Snapshot, WatchEvents, WorldMessage } from '../messages';
import { ChunkCurves } from './chunkCurves';
import { drawChunkTable, drawTally, drawTiles } from './figures';
import { drawCameras, drawTable } from './pictures';
import { SILENCE, say } from './program';
import { showSettingsInUse, wireSettings } from './settings';
import { NOTHING } from './setup';
import { drawTimeline } from './timeline';
import { showTransport, wireTransport } from './transport';

let state: Snapshot | null = null;
let world: WorldMessage | null = null;
let chunks: readonly ChunkMessage[] = [];
let plan: PlanMessage | null = null;
let planBefore: PlanMessage | null = null;

// ---- showing, once for each picture of the screen ------------------------------------------------------------------

type Part = 'state' | 'chunk' | 'world';
const stale = new Set<Part>();

function changed(part: Part): void {
  if (stale.size === 0) requestAnimationFrame(draw);
  stale.add(part);
}

function draw(): void {
  const parts = new Set(stale);
  stale.clear();
  if (!state) return;
  if (parts.has('state')) drawState(state);
  if (parts.has('state') || parts.has('chunk')) {
    drawTimeline(chunks);
    drawChunkTable(chunks);
    drawTiles(state, chunks.at(-1));
    drawTally(state);
  }
  curves.show({ plan, before: planBefore, sinceChunk: world?.sinceChunk ?? null });
  byId('tile-step').textContent = world ? `step ${world.step}` : NOTHING;
  if (!world) return;
  drawCameras(world);
  const { choice, pairs } = state;
  drawTable(byId('table', HTMLCanvasElement), { world, plan, speed: choice.speed, pairs });
}

function drawState(shown: Snapshot): void {
  showTransport(shown);
  showSettingsInUse(shown.settings);
  byId('suite').textContent = shown.suite === '' ? '' : `suite ${shown.suite}:`;
  say(byId('instruction'), shown.instruction);
  byId('configuration').textContent = shown.configuration;
  say(byId('settings-warning'), shown.warning);
  say(byId('problem'), shown.problem);
}

// ---- being told -----------------------------------------------------------------------------------------------------

type Told = { readonly [E in keyof WatchEvents]: (message: WatchEvents[E]) => void };

const told: Told = {
  snapshot: (message) => {
    state = message;
    ({ chunks, plan, planBefore, world } = message);
    changed('state');
  },
  chunk: (message) => {
    chunks = [...chunks, message.chunk].slice(-TIMELINE_CHUNKS);
    planBefore = message.chunk.chunk === 0 ? null : plan;
    plan = message.plan;
    if (world) world = { ...world, sinceChunk: 0 };
    changed('chunk');
  },
  world: (message) => {
    world = message;
    changed('world');
  },
};

let source: EventSource | null = null;

function connect(): void {
  if (source) return;
  source = new EventSource('events');
  for (const [event, tell] of Object.entries(told))
    source.addEventListener(event, ({ data }: MessageEvent<string>) => {
      (tell as (message: unknown) => void)(JSON.parse(data));
    });
  source.addEventListener('error', () => say(byId('problem'), SILENCE));
  source.addEventListener('open', () => say(byId('problem'), ''));
}

function disconnect(): void {
  source?.close();
  source = null;
}

/** A page out of sight needs no pictures; and a browser has few connections for one address. */
function look(): void {
  if (document.hidden) disconnect();
  else connect();
}

// Boxes have a width only once they are shown.
document.documentElement.classList.add('script');
const curves = new ChunkCurves();
wireSettings();
wireTransport();
onColourScheme(() => {
  curves.build();
  changed('world');
});
addEventListener('resize', () => {
  curves.resize();
  changed('world');
});
document.addEventListener('visibilitychange', look);
addEventListener('pagehide', disconnect);
addEventListener('pageshow', look);
look();
