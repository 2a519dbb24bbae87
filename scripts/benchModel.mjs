// The 110 M-parameter model that ratios are measured with: random weights, made once, in out/bench_110m.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');
export const checkpoint = join(root, 'out', 'bench_110m');
export const config = join(root, 'test', 'fixtures', 'bench_110m.config.json');
export const bundle = join(checkpoint, 'bundle');

/** Runs a program with this terminal, and ends with its code where that is not 0. */
export function run(program, args, options = {}) {
  const { status } = spawnSync(program, args, { stdio: 'inherit', cwd: root, ...options });
  if (status !== 0) process.exit(status ?? 1);
}

export const fastwam = (...args) => run(process.execPath, [join(root, 'bin', 'fastwam'), ...args]);

/** Writes the checkpoint where there is none, and exports it with the program as it is now. */
export function makeBenchModel() {
  if (!existsSync(join(checkpoint, 'fastwam.pt'))) fastwam('synth', '--config', config, '--out', checkpoint);
  fastwam(
    ...['export', '--checkpoint', join(checkpoint, 'fastwam.pt')],
    ...['--vae', join(checkpoint, 'vae_encoder.pth'), '--text-embeds', join(checkpoint, 'text_embeds')],
    ...['--instructions', join(checkpoint, 'instructions.txt'), '--config', config, '--out', bundle],
  );
}
