/*
 * Makes the pictures of the documentation anew, from what the tutorial's commands show: npm run docs:pictures
 * Needs Chromium (test/chromium.ts says where it is looked for). Times in them belong to the machine; deviations do not.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { launchChromium } from '../test/chromium';

const ROOT = join(__dirname, '..');
const IMAGES = join(ROOT, 'docs', 'images');
const FASTWAM = join(ROOT, 'bin', 'fastwam');
/** Real time in which the watched robot makes some chunks with each setting. */
const WATCHED = 12_000;

/** As small as flat colours allow: pictures stay in the history. */
async function keep(name: string, picture: Buffer): Promise<void> {
  await sharp(picture).png({ palette: true, effort: 10 }).toFile(join(IMAGES, name));
}

async function main(): Promise<void> {
  const out = mkdtempSync(join(tmpdir(), 'fast-wam-pictures-'));
  const browser = await launchChromium();
  try {
    const recording = ['bags/tabletop_demo', '--bundle', 'bundles/tabletop'];
    const params = ['--params', 'params/tabletop_demo.yaml', '--refresh', '0,4,8', '--range', '0:6,0:7'];
    const tolerance = ['--tolerance', 'translation=0.15', '--tolerance', 'flips=30', '--out', out];
    const sweep = [FASTWAM, 'sweep', ...recording, ...params, ...tolerance];
    execFileSync(process.execPath, sweep, { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
    const page = await browser.newPage({ viewport: { width: 1160, height: 1660 } });
    await page.goto(pathToFileURL(join(out, 'report.html')).href);
    await keep('report.png', await page.screenshot({ clip: { x: 0, y: 0, width: 1160, height: 1550 } }));
    // Nothing was scrolled: relative to the view is relative to the page.
    const strips = await page.locator('h2', { hasText: 'What was computed' }).first().boundingBox();
    const clip = { x: 0, y: (strips?.y ?? 0) - 20, width: 1160, height: 1100 };
    await keep('report-cache.png', await page.screenshot({ fullPage: true, clip }));

    const watch = spawn(process.execPath, [FASTWAM, 'watch', '--bundle', 'bundles/tabletop'], { cwd: ROOT });
    try {
      const address = await new Promise<string>((resolve, reject) => {
        watch.once('exit', (code) => reject(new Error(`watch ended with code ${code ?? 'none'}`)));
        watch.stdout.on('data', (text: Buffer) => {
          const [found] = /http:\S+/.exec(String(text)) ?? [];
          if (found !== undefined) resolve(found);
        });
      });
      const live = await browser.newPage({ viewport: { width: 1280, height: 1240 } });
      await live.goto(address);
      await live.waitForTimeout(WATCHED);
      await keep('watch.png', await live.screenshot());
    } finally {
      watch.kill('SIGINT');
    }
  } finally {
    await browser.close();
    rmSync(out, { recursive: true, force: true });
  }
}

void main();
