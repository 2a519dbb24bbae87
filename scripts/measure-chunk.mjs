// A whole uncached chunk in fp32 and in int8 (prefill and expert, and each alone), one thread, interleaved chunk by
// chunk: npm run build && node scripts/measure-chunk.mjs BUNDLE [chunks] [PEER...]
// PEER is another program's command line that takes its turn: for each line it reads it computes one chunk of the same
// sizes and answers with one line, its milliseconds.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { UNCACHED } from '../dist/cache/choice.js';
import { Bundle } from '../dist/bundle/Bundle.js';
import { relativeDistance } from '../dist/cache/matrix.js';
import { distributionOf } from '../dist/evaluation/distribution.js';
import { randomObservations } from '../dist/evaluation/runBench.js';
import { DEFAULT_EXECUTION } from '../dist/model/execution.js';
import { FastWamModel } from '../dist/model/FastWamModel.js';
import { Episode } from '../dist/policy/Episode.js';

const [folder, chunks = '12', ...peer] = process.argv.slice(2);
const bundle = Bundle.open(folder);
const settings = { ...UNCACHED, noise: 'fixed', seed: 42 };

async function engine(precisions) {
  const model = await FastWamModel.load(bundle, { ...DEFAULT_EXECUTION, ...precisions, threads: 1 });
  await model.warmUp();
  return new Episode(model);
}

const engines = {
  fp32: await engine({ precision: 'fp32' }),
  'int8 expert': await engine({ precision: 'int8', prefillPrecision: 'fp32' }),
  'int8 prefill': await engine({ precision: 'fp32', prefillPrecision: 'int8' }),
  int8: await engine({ precision: 'int8' }),
};
const times = Object.fromEntries([...Object.keys(engines), 'peer'].map((name) => [name, []]));
const actions = Object.fromEntries(Object.keys(engines).map((name) => [name, []]));

const child =
  peer.length > 0 ? spawn(peer[0], peer.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] }) : undefined;
const answers = child && createInterface({ input: child.stdout })[Symbol.asyncIterator]();

const observations = randomObservations(bundle, bundle.anyTask(), Number(chunks) + 1);
for (const [c, observation] of observations.entries()) {
  for (const [name, episode] of Object.entries(engines)) {
    const chunk = await episode.infer(observation, settings);
    if (c === 0) continue;
    times[name].push(chunk.times.total * 1000);
    actions[name].push(...chunk.normalised);
  }
  if (!child) continue;
  child.stdin.write('\n');
  const { value, done } = await answers.next();
  if (done || !Number.isFinite(Number(value))) throw new Error(`the peer answered ${String(value)}`);
  if (c > 0) times.peer.push(Number(value));
}
child?.stdin.end();

const base = child ? 'peer' : 'fp32';
process.stdout.write(`medians of ${chunks} chunks; times as fast as ${base}; actions off by, against fp32\n`);
for (const [name, ms] of Object.entries(times).filter(([, all]) => all.length > 0)) {
  const ratios = distributionOf(ms.map((own, i) => times[base][i] / own));
  const off = actions[name] ? relativeDistance(actions[name], actions.fp32).toExponential(1) : '';
  const { p50 } = distributionOf(ms);
  process.stdout.write(
    `${name.padEnd(14)}${p50.toFixed(1).padStart(9)} ms ${ratios.p50.toFixed(2)}x (${ratios.min.toFixed(2)} to ${ratios.max.toFixed(2)})  ${off}\n`,
  );
}
