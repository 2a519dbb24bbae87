// What a grain costs: the expert's time through the graph with gates, relative to ten full steps in the plain one, on one
// thread, interleaved: npm run build && node scripts/measure-grains.mjs BUNDLE [repetitions]
// Where the bundle has a calibrated schedule of BAC it is run as well.
import { performance } from 'node:perf_hooks';
import { Bundle } from '../dist/bundle/Bundle.js';
import { Fingerprints } from '../dist/cache/Fingerprints.js';
import { bacCalibration } from '../dist/cache/bac.js';
import { flagsOf } from '../dist/cache/bacSchedule.js';
import { DEFAULT_EXECUTION } from '../dist/model/execution.js';
import { FastWamModel } from '../dist/model/FastWamModel.js';
import { CalibrationFile } from '../dist/policy/CalibrationFile.js';
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
const everyStep = Array.from({ length: steps }, (_, index) => ({ index }));

const size = horizon * hidden;
const cells = steps * layers;

// Gates before the blocks that `asked` names; of these the ones that `skips` names let their block be skipped: no
// similarity reaches 2, every one passes -2.
function gatedRun(fingerprints, asked, skips) {
  const flags = (names) => Uint8Array.from({ length: cells }, (_, cell) => Number(names(cell)));
  return gated.gatedSteps(noise, {
    fingerprints,
    residuals: new Float32Array(cells * size),
    tauCos: Float32Array.from(flags(skips), (skip) => (skip ? -2 : 2)),
    conditionCosine: new Float32Array(cells).fill(1),
    allowed: flags(asked),
    tauDev: Number.MAX_VALUE,
    epsilon: 1e-6,
  });
}
const all = () => true;
const none = () => false;

// Fingerprints of this very chunk, so that a gate skips wherever it may.
const { hidden: states } = await gatedRun(new Fingerprints(plain.shape), none, none);
const own = new Fingerprints(plain.shape);
for (let k = 0; k < steps; k++)
  for (let l = 0; l < layers; l++) {
    const at = (k * (layers + 1) + l) * size;
    own.store(k * layers + l, states.subarray(at, at + size));
  }

const inCalls = async (count) => {
  let x = noise;
  for (let i = 0; i < steps; i += steps / count)
    ({ x } = await plain.fullSteps(x, everyStep.slice(i, i + steps / count)));
};
const share = ({ skipped }) => 1 - skipped.reduce((sum, s) => sum + s, 0) / skipped.length;
const variants = {
  'plain graph': () => plain.fullSteps(noise, everyStep),
  'graph with gates, no gate asked': () => gated.fullSteps(noise, everyStep),
  'x_cache, no gate asked, block inputs recorded': () => gatedRun(own, none, none),
  'x_cache, a gate before every block, none skips': () => gatedRun(own, all, none),
  'x_cache, a gate before every block, half skipped': () => gatedRun(own, all, (cell) => cell % 2 === 1),
  'x_cache, a gate before every block, three quarters skipped': () =>
    gatedRun(own, all, (cell) => cell % 4 !== 0),
  'two calls of half the steps, plain graph': () => inCalls(2),
  'a call for each step, plain graph': () => inCalls(steps),
};
for (const [i, schedule] of new CalibrationFile(bundle, bacCalibration).read().entries()) {
  const flags = flagsOf(schedule);
  const computed = flags.reduce((sum, flag) => sum + flag, 0) / flags.length;
  variants[`bac, schedule ${i}, ${(100 * computed).toFixed(1)} % of the sub-blocks`] = () =>
    gated.scheduledSteps(noise, flags, everyStep);
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
