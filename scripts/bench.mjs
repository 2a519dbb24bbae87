// npm run bench [-- MORE OPTIONS OF fastwam bench]: the 110 M-parameter bench model, made once with random weights.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = join(root, 'out', 'bench_110m');
const config = join(root, 'test', 'fixtures', 'bench_110m.config.json');
const bundle = join(folder, 'bundle');

function fastwam(...args) {
  const run = spawnSync(process.execPath, [join(root, 'bin', 'fastwam'), ...args], { stdio: 'inherit' });
  if (run.status !== 0) process.exit(run.status ?? 1);
}

if (!existsSync(join(folder, 'fastwam.pt'))) fastwam('synth', '--config', config, '--out', folder);
fastwam(
  ...['export', '--checkpoint', join(folder, 'fastwam.pt'), '--vae', join(folder, 'vae_encoder.pth')],
  ...['--text-embeds', join(folder, 'text_embeds'), '--instructions', join(folder, 'instructions.txt')],
  ...['--config', config, '--out', bundle],
);
fastwam('bench', '--bundle', bundle, '--threads', '1', '--int8', ...process.argv.slice(2));
