// A whole uncached chunk in fp32 and in int8 (prefill and expert, and each alone), one thread, interleaved chunk by
// chunk: npm run build && node scripts/measure-chunk.mjs BUNDLE [chunks] ['NAME=COMMAND' ...]
// Each COMMAND is another program that takes its turn (training/fastwam_tiny/peer.py): for each line of JSON it reads,
// the observation as the network takes it, it computes one chunk and answers with one line, its time and its actions.
import { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Bundle } from '../dist/bundle/Bundle.js';
import { UNCACHED } from '../dist/cache/choice.js';
import { relativeDistance } from '../dist/cache/matrix.js';
import { distributionOf } from '../dist/evaluation/distribution.js';
import { expertStepFlops } from '../dist/evaluation/expertFlops.js';
import { WARM_UP_CHUNKS } from '../dist/evaluation/replay.js';
import { randomObservations } from '../dist/evaluation/runBench.js';
import { distinctRows } from '../dist/model/distinctRows.js';
import { DEFAULT_EXECUTION } from '../dist/model/execution.js';
import { FastWamModel } from '../dist/model/FastWamModel.js';
import { MatrixProduct } from '../dist/model/MatrixProduct.js';
import { Episode } from '../dist/policy/Episode.js';

/** What another implementation in float32 may be off by: the same sums in another order. */
const SAME = 1e-4;

const [folder, chunks = '12', ...peers] = process.argv.slice(2);
const bundle = Bundle.open(folder);
if (peers.length > 0 && bundle.manifest.proprio.normaliser.mode !== 'none') {
  throw new Error(
    `${folder} has statistics, which peers do not know; take a bundle exported without --stats`,
  );
}
const settings = { ...UNCACHED, noise: 'fixed', seed: 42 };
const task = bundle.anyTask();
const context = bundle.context(task);

/** One that computes chunks: milliseconds by stage, and the actions as the network gives them. */
async function engine(precisions) {
  const model = await FastWamModel.load(bundle, { ...DEFAULT_EXECUTION, ...precisions, threads: 1 });
  await model.warmUp();
  const episode = new Episode(model);
  return async (observation) => {
    const { times, normalised } = await episode.infer(observation, settings);
    const stages = Object.fromEntries(Object.entries(times).map(([stage, s]) => [stage, s * 1000]));
    return { stages, actions: normalised };
  };
}

function peer(command) {
  const child = spawn(command, { shell: true, stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const infer = async ({ image, proprio }) => {
    const asked = {
      image: Buffer.from(image).toString('base64'),
      proprio: [...proprio],
      context: Buffer.from(Float32Array.from(context.rows).buffer).toString('base64'),
    };
    child.stdin.write(`${JSON.stringify(asked)}\n`);
    const { value, done } = await answers.next();
    if (done) throw new Error(`it ended before it answered: ${command}`);
    const { milliseconds, actions } = JSON.parse(value);
    return { stages: { total: milliseconds }, actions };
  };
  return Object.assign(infer, { end: () => child.stdin.end() });
}

const engines = {
  fp32: await engine({ precision: 'fp32' }),
  'int8 expert': await engine({ precision: 'int8', prefillPrecision: 'fp32' }),
  'int8 prefill': await engine({ precision: 'fp32', prefillPrecision: 'int8' }),
  int8: await engine({ precision: 'int8' }),
};
const others = Object.fromEntries(
  peers.map((text) => [text.slice(0, text.indexOf('=')), peer(text.slice(text.indexOf('=') + 1))]),
);
const all = { ...engines, ...others };
const product = await MatrixProduct.create({ ...DEFAULT_EXECUTION, threads: 1 });

const results = Object.fromEntries(Object.keys(all).map((name) => [name, []]));
const products = [];
const observations = randomObservations(bundle, task, Number(chunks) + WARM_UP_CHUNKS);
for (const [c, observation] of observations.entries()) {
  for (const [name, infer] of Object.entries(all)) {
    const result = await infer(observation);
    if (c >= WARM_UP_CHUNKS) results[name].push(result);
  }
  products.push(await product.run());
}
for (const { end } of Object.values(others)) end();

const median = (values) => distributionOf(values).p50;
const times = (name, stage) => results[name].map(({ stages }) => stages[stage]);
const actionsOf = (name) => results[name].flatMap(({ actions }) => [...actions]);
const reference = actionsOf('fp32');
const off = (name) => relativeDistance(actionsOf(name), reference);
for (const name of Object.keys(others)) {
  if (!(off(name) < SAME)) {
    throw new Error(
      `the actions of ${name} are off by ${off(name).toExponential(1)}: it computes something else`,
    );
  }
}

/** How many times as fast as `base`: each chunk against the one computed of the same observation. */
function ratio(name, base) {
  const own = times(name, 'total');
  const { p50, min, max } = distributionOf(times(base, 'total').map((ms, i) => ms / own[i]));
  return `${p50.toFixed(2)}x (${min.toFixed(2)} to ${max.toFixed(2)})`;
}

const bases = ['fp32', ...Object.keys(others)];
const rows = [
  ['', 'ms', 'VAE', 'prefill', 'expert', ...bases.map((base) => `as fast as ${base}`), 'actions off by'],
  ...Object.keys(all).map((name) => [
    name,
    ...['total', 'vae', 'prefill', 'expert'].map((stage) => {
      const ms = median(times(name, stage));
      return Number.isNaN(ms) ? '' : ms.toFixed(1);
    }),
    ...(name in engines ? bases.map((base) => ratio(name, base)) : bases.map(() => '')),
    name === 'fp32' ? '' : off(name).toExponential(1),
  ]),
];
const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
process.stdout.write(`medians of ${chunks} chunks, one thread, chunk by chunk in turn\n`);
for (const row of rows)
  process.stdout.write(
    `${row
      .map((cell, i) => cell.padEnd(widths[i]))
      .join('  ')
      .trimEnd()}\n`,
  );

const text = distinctRows(context.rows, bundle.dimensions.textDim).counts.length;
const stepFlops = expertStepFlops(bundle.dimensions, text) * bundle.schedule.steps;
const rate = product.flops / median(products);
for (const name of ['fp32', 'int8']) {
  const own = stepFlops / (median(times(name, 'expert')) / 1000);
  process.stdout.write(
    `${name}: the expert computes at ${(own / rate).toFixed(2)} of a plain float32 product's rate\n`,
  );
}
// Sessions let go one by one would take longer than the process does.
process.exit();
