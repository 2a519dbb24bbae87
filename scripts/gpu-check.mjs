// `fastwam gpu-check` from a checkout or from what was packed of one: node scripts/gpu-check.mjs --bundle B --out DIR
import { spawnSync } from 'node:child_process';
import { URL, fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../bin/fastwam', import.meta.url));
const { status } = spawnSync(process.execPath, [program, 'gpu-check', ...process.argv.slice(2)], {
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
