/*
 * Bundles what runs in browsers: each src/ROOM/page/main.ts becomes dist/ROOM/page.js, one script without imports that a
 * page carries. Part of `npm run build`; types are checked by `npm run typecheck` (tsconfig.page.json).
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const licence = readFileSync(createRequire(import.meta.url).resolve('uplot/LICENSE'), 'utf8');

/** Rooms with a page of their own. */
const ROOMS = ['report', 'watch'];

export async function bundlePages() {
  await build({
    absWorkingDir: root,
    entryPoints: ROOMS.map((room) => ({ in: `src/${room}/page/main.ts`, out: `${room}/page` })),
    outdir: 'dist',
    bundle: true,
    minify: true,
    format: 'iife',
    // What browsers of the last years understand.
    target: ['chrome109', 'firefox115', 'safari16'],
    charset: 'utf8',
    legalComments: 'none',
    // The licence of what is bundled goes with it.
    banner: { js: `/* uPlot\n${licence}*/` },
    tsconfig: 'tsconfig.page.json',
    logLevel: 'warning',
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundlePages();
