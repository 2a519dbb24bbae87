import { byId } from '../../report/page/dom';
import type { ControlRequest } from '../controlRequest';
import type { Snapshot, WorldChoice } from '../messages';
import { command, say, Sender } from './program';

const run = byId('run', HTMLButtonElement);
const pace = byId('pace', HTMLSelectElement);
const suite = byId('world-suite', HTMLSelectElement);
const speed = byId('world-speed', HTMLSelectElement);
const condition = byId('world-condition', HTMLSelectElement);
const seed = byId('world-seed', HTMLInputElement);

type Plain = 'step' | 'chunk' | 'next';
const KEYS: Readonly<Record<string, Plain>> = { s: 'step', c: 'chunk', n: 'next' };

// What is chosen is one of the page's own options; the program checks it all the same.
const worldSender = new Sender(
  () =>
    ({
      do: 'world',
      suite: suite.value,
      speed: speed.value,
      condition: condition.value,
      seed: seed.value.trim() === '' ? NaN : Number(seed.value),
    }) as ControlRequest,
  (sentence) => say(byId('world-refusal'), sentence),
);

let paused = false;

/** Lets buttons, keys and the choice of world steer the loop. */
export function wireTransport(): void {
  for (const input of [suite, speed, condition, seed])
    input.addEventListener('change', () => void worldSender.send());
  byId('controls').addEventListener('submit', (event) => event.preventDefault());
  run.addEventListener('click', toggleRun);
  for (const button of document.querySelectorAll<HTMLElement>('[data-do]'))
    button.addEventListener('click', () => void command({ do: button.dataset['do'] } as ControlRequest));
  pace.addEventListener(
    'change',
    () => void command({ do: 'pace', pace: Number(pace.value) } as ControlRequest),
  );
  document.addEventListener('keydown', (event) => {
    const inControl =
      event.target instanceof Element && event.target.closest('input, select, button, summary');
    if (inControl || event.ctrlKey || event.metaKey || event.altKey) return;
    const what = KEYS[event.key];
    if (event.key === ' ') toggleRun();
    else if (what) void command({ do: what });
    else return;
    event.preventDefault();
  });
}

function toggleRun(): void {
  void command({ do: paused ? 'resume' : 'pause' });
}

/** Shows whether it runs, how fast, and in which world. */
export function showTransport(state: Snapshot): void {
  paused = state.paused;
  run.textContent = paused ? 'Resume' : 'Pause';
  pace.value = String(state.pace);
  if (!worldSender.busy) showWorld(state.choice);
}

function showWorld(choice: WorldChoice): void {
  suite.value = choice.suite;
  speed.value = choice.speed;
  condition.value = choice.condition;
  if (document.activeElement !== seed) seed.value = String(choice.seed);
}
