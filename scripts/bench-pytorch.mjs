// npm run bench:pytorch [-- --chunks N] [-- --original SRC]: the bench model's whole chunk in fp32 and int8 against
// PyTorch, eager and compiled, one thread, in turn. SRC, the `src` folder of a checkout of the original's code, adds
// that; PYTHON=... is an environment with PyTorch in place of training/.venv.
import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bundle, checkpoint, config, makeBenchModel, root, run } from './benchModel.mjs';

const { values } = parseArgs({
  options: { chunks: { type: 'string', default: '12' }, original: { type: 'string' } },
});

makeBenchModel();
const lists = values.original === undefined ? [] : ['requirements-original.txt'];
const python = execFileSync(join(root, 'training', 'python.sh'), lists, {
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'inherit'],
}).trim();
const pytorch = (...more) =>
  [python, '-m', 'fastwam_tiny.peer', checkpoint, config, ...more].map((word) => `'${word}'`).join(' ');
const peers = {
  'PyTorch eager': pytorch(),
  'PyTorch compiled': pytorch('--compile'),
  ...(values.original === undefined
    ? {}
    : {
        'original eager': pytorch('--original', resolve(values.original)),
        'original compiled': pytorch('--original', resolve(values.original), '--compile'),
      }),
};
run(
  process.execPath,
  [
    join(root, 'scripts', 'measure-chunk.mjs'),
    bundle,
    values.chunks,
    ...Object.entries(peers).map(([name, command]) => `${name}=${command}`),
  ],
  { env: { ...process.env, PYTHONPATH: join(root, 'training') } },
);
