import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evaluate } from '../../src/evaluation/evaluate';
import { reportPage } from '../../src/report/reportPage';
import { cachedConfiguration, fakeEvaluation, fakeProvenance, UNCACHED } from '../evaluation/fakeEvaluation';
import { chromiumMissing, launchChromium } from '../chromium';
import { removeFolders, temporaryFolder } from '../helpers';

describe.skipIf(chromiumMissing('the report'))('the report in a browser', () => {
  let browser: Browser;
  let file = '';
  /** what the page complained about, and what it asked for beyond itself */
  const complaints: string[] = [];

  const open = async (options: { width: number; javaScriptEnabled?: boolean }): Promise<Page> => {
    const page = await browser.newPage({
      viewport: { width: options.width, height: 900 },
      javaScriptEnabled: options.javaScriptEnabled ?? true,
    });
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => {
      if (request.url() !== `file://${file}`) complaints.push(request.url());
    });
    await page.goto(`file://${file}`);
    return page;
  };

  beforeAll(async () => {
    const evaluation = fakeEvaluation({
      robot: 'two_arms',
      chunks: 40,
      episodes: 2,
      configurations: [UNCACHED, cachedConfiguration(4, 6), cachedConfiguration(0, 7)],
      instruction: 'take the cup that stands behind the plates and put it upside down on the rack '.repeat(4),
    });
    file = join(temporaryFolder(), 'report.html');
    await writeFile(file, reportPage(evaluation, evaluate(evaluation), fakeProvenance()));
    browser = await launchChromium();
  });

  afterAll(async () => {
    await browser.close();
    removeFolders();
  });

  it('draws a live plot for every joint under its own content policy, and asks for nothing', async () => {
    const page = await open({ width: 1200 });
    expect(await page.locator('.plotted canvas').count()).toBe(14);
    expect(await page.locator('.differences canvas').count()).toBe(14);
    expect(await page.locator('.still').first().isVisible()).toBe(false);
    expect(complaints).toEqual([]);
  });

  it('zooms all plots together', async () => {
    const page = await open({ width: 1200 });
    const first = page.locator('.motion .u-over').first();
    await first.scrollIntoViewIfNeeded();
    const box = (await first.boundingBox())!;
    const lastPicture = 'document.querySelector(".motion:last-child canvas").toDataURL()';
    const before = await page.evaluate(lastPicture);
    await page.mouse.move(box.x + box.width * 0.3, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.5, box.y + 40, { steps: 4 });
    await page.mouse.up();
    await page.waitForFunction(`${lastPicture} !== ${JSON.stringify(before)}`);
    const readouts = await page.locator('.motion .readout').allTextContents();
    expect(new Set(readouts.map((text) => text.split(' ')[0])).size).toBe(1);
    expect(readouts[13]).toMatch(/ s {2}recorded .* none .* c3ache/);
    expect(complaints).toEqual([]);
  });

  it('compares any configuration with the uncached run', async () => {
    const page = await open({ width: 1200 });
    const picture = 'document.querySelector(".differences canvas").toDataURL()';
    const before = await page.evaluate(picture);
    await page.locator('#against').selectOption({ label: '3 c3ache R=0 [0,7]' });
    await page.waitForFunction(`${picture} !== ${JSON.stringify(before)}`);
    expect(await page.locator('details.moments[open]').getAttribute('data-run')).toBe('c3ache R=0 [0,7]');
    expect(complaints).toEqual([]);
  });

  it('leads from a mark to the moment, also where it is folded away, and from there to the actions', async () => {
    const page = await open({ width: 1200 });
    const folded = page.locator('details.moments:not([open])').first();
    const run = (await folded.getAttribute('data-run'))!;
    const card = folded.locator('.card').first();
    const id = (await card.getAttribute('id'))!;
    expect(await card.isVisible()).toBe(false);
    await page.locator(`a[href="#${id}"]`).dispatchEvent('click');
    await page.locator(`#${id}`).waitFor({ state: 'visible' });
    await page.locator(`#${id} a[data-time]`).click();
    expect(await page.locator('#against').inputValue()).toBe(run);
    expect(complaints).toEqual([]);
  });

  it('shows still pictures without scripts', async () => {
    const page = await open({ width: 1200, javaScriptEnabled: false });
    expect(await page.locator('.still svg').first().isVisible()).toBe(true);
    expect(await page.locator('.live').first().isVisible()).toBe(false);
  });

  it.each([390, 1200])('is never wider than its window of %i pixels', async (width) => {
    const page = await open({ width });
    // a string: the page's own types are not those of this program
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
  });
});
