// Anonymous memory of a process that has loaded a model, node included, against the model's weights at the precision
// they are executed in: npm run build && node --expose-gc scripts/measure-memory.mjs BUNDLE [fp32|int8]
import { readFileSync } from 'node:fs';
import { Bundle } from '../dist/bundle/Bundle.js';
import { elementCount } from '../dist/formats/StoredTensor.js';
import { DEFAULT_EXECUTION } from '../dist/model/execution.js';
import { FastWamModel } from '../dist/model/FastWamModel.js';

// What `Int8Linears` is applied to.
const INT8 = /^mixtures\.(action|video)\.blocks\.\d+\.(self_attn\.[qkvo]|cross_attn\.q|ffn\.[02])\.weight$/;
const MEBIBYTE = 2 ** 20;

const [folder, precision = 'fp32'] = process.argv.slice(2);
const bundle = Bundle.open(folder);
const bytesOf = ({ name, shape }) => elementCount(shape) * (precision === 'int8' && INT8.test(name) ? 1 : 4);
const tensors = [...bundle.policyWeights.tensors.values(), ...bundle.vaeWeights.tensors.values()];
const weights = tensors.reduce((total, tensor) => total + bytesOf(tensor), 0);

function say(when) {
  globalThis.gc?.();
  const [, kibibytes] = /RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'));
  const held = Number(kibibytes) * 1024;
  process.stdout.write(
    `${when}: ${(held / MEBIBYTE).toFixed(0)} MiB, ${(held / weights).toFixed(2)} times the weights\n`,
  );
}

process.stdout.write(`weights in ${precision}: ${(weights / MEBIBYTE).toFixed(0)} MiB\n`);
say('before');
const model = await FastWamModel.load(bundle, { ...DEFAULT_EXECUTION, precision, threads: 1 });
say('loaded');
await model.warmUp();
say('after a run');
await model.release();
