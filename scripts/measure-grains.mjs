// What a grain costs: the expert's time through the graph with gates, relative to ten full steps in the plain one, on one
// thread, interleaved: npm run build && node scripts/measure-grains.mjs BUNDLE [repetitions]
// Where the bundle has a calibrated schedule of BAC it is run as well.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { Bundle } from '../dist/bundle/Bundle.js';
import { Fingerprints } from '../dist/cache/Fingerprints.js';
import { flagsOf } from '../dist/cache/bacSchedule.js';
import { DEFAULT_EXECUTION } from '../dist/model/execution.js';
import { FastWamModel } from '../dist/model/FastWamModel.js';
import { randn } from '../dist/sampler/noise.js';

const [folder, repetitions = '13'] = process.argv.slice(2);
const bundle = Bundle.open(folder);
const { height, width, proprioDim } = bundle.dimensions;

async function loaded(grain) {
  const model = await FastWamModel.load(bundle, { ...DEFAULT_EXECUTION, threads: 1 }, grain);
  const image = Uint8Array.from({ length: height * width * 3 }, (_, i) => (i * 31) & 255);
  const context = bundle.context(bundle.anyTask());
  const binding = await model.prefill(await model.encode(image), new Float32Array(proprioDim), context);
  return model.expert(binding);
}

const plain = await loaded('stack');
const gated = await loaded('block');
const { steps, layers, horizon, hidden, actionDim } = plain.shape;
const noise = randn(42, horizon * actionDim);
const all = Array.from({ length: steps }, (_, index) => ({ index }));

const size = horizon * hidden;

// Fingerprints of this very chunk, so that a gate skips wherever it may.
const { hidden: states } = await gated.gatedSteps(
  noise,
  gate(new Fingerprints(plain.shape), () => 0),
);
const fingerprints = new Fingerprints(plain.shape);
for (let k = 0; k < steps; k++)
  for (let l = 0; l < layers; l++) {
    const at = (k * (layers + 1) + l) * size;
    fingerprints.store(k * layers + l, states.subarray(at, at + size));
  }

// `floor` is the similarity that a cell has to pass; none reaches 2
function gate(from, allowed, floor = -2) {
  const cells = steps * layers;
  return {
    fingerprints: from,
    residuals: new Float32Array(cells * size),
    tauCos: new Float32Array(cells).fill(floor),
    conditionCosine: new Float32Array(cells).fill(1),
    allowed: Uint8Array.from({ length: cells }, (_, cell) => allowed(cell)),
    tauDev: Number.MAX_VALUE,
    epsilon: 1e-6,
  };
}

// A gate before every block; `skips` says which may pass it.
function gates(skips) {
  const asked = gate(fingerprints, () => 1);
  asked.tauCos = asked.tauCos.map((_, cell) => (skips(cell) ? -2 : 2));
  return asked;
}

const inCalls = async (count) => {
  let x = noise;
  for (let i = 0; i < steps; i += steps / count)
    ({ x } = await plain.fullSteps(x, all.slice(i, i + steps / count)));
};
const share = ({ skipped }) => 1 - skipped.reduce((sum, s) => sum + s, 0) / skipped.length;
const variants = {
  'plain graph': () => plain.fullSteps(noise, all),
  'graph with gates, no gate asked': () => gated.fullSteps(noise, all),
  'x_cache, no gate asked, block inputs recorded': () =>
    gated.gatedSteps(
      noise,
      gate(fingerprints, () => 0),
    ),
  'x_cache, a gate before every block, none skips': () =>
    gated.gatedSteps(
      noise,
      gates(() => false),
    ),
  'x_cache, a gate before every block, half skipped': () =>
    gated.gatedSteps(
      noise,
      gates((cell) => cell % 2 === 1),
    ),
  'x_cache, a gate before every block, three quarters skipped': () =>
    gated.gatedSteps(
      noise,
      gates((cell) => cell % 4 !== 0),
    ),
  'two calls of half the steps, plain graph': () => inCalls(2),
  'a call for each step, plain graph': () => inCalls(steps),
};
const schedules = join(folder, 'bac_schedules.json');
if (existsSync(schedules)) {
  for (const [i, schedule] of JSON.parse(readFileSync(schedules, 'utf8')).schedules.entries()) {
    const flags = flagsOf(schedule);
    const computed = flags.reduce((sum, flag) => sum + flag, 0) / flags.length;
    variants[`bac, schedule ${i}, ${(100 * computed).toFixed(1)} % of the sub-blocks`] = () =>
      gated.scheduledSteps(noise, flags, all);
  }
}

const times = Object.fromEntries(Object.keys(variants).map((name) => [name, []]));
const computed = {};
for (let i = 0; i <= Number(repetitions); i++) {
  for (const [name, run] of Object.entries(variants)) {
    const started = performance.now();
    const result = await run();
    if (i > 0) times[name].push(performance.now() - started);
    if (result?.skipped) computed[name] = share(result);
  }
}
const quartile = (name) => times[name].sort((a, b) => a - b)[Math.floor(times[name].length / 4)];
const full = quartile('plain graph');
process.stdout.write(`plain graph, ${steps} steps: ${full.toFixed(1)} ms (lower quartile)\n`);
for (const name of Object.keys(variants)) {
  const blocks =
    computed[name] === undefined ? '' : `, ${(100 * computed[name]).toFixed(0)} % of the blocks computed`;
  process.stdout.write(`${(quartile(name) / full).toFixed(3)}  ${name}${blocks}\n`);
}
