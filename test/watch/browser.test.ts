import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PolicyClient } from '../../src/policy/PolicyClient';
import { LiveLoop } from '../../src/watch/LiveLoop';
import { watchPage } from '../../src/watch/watchPage';
import { WatchServer } from '../../src/watch/WatchServer';
import { chromiumMissing, launchChromium } from '../chromium';
import { removeFolders } from '../helpers';
import { tabletopBundle } from './tabletopBundle';

/** A browser and a model beside other work. */
const PATIENCE = 300_000;
/** What the box holds that has the keyboard, by its id; empty where none has it. */
const FOCUSED_BOX = "document.activeElement?.closest('.scroll')?.firstElementChild?.id ?? ''";

describe.skipIf(chromiumMissing('the live page'))('the live page in a browser', () => {
  let browser: Browser;
  let client: PolicyClient;
  let loop: LiveLoop;
  let server: WatchServer;
  let running: Promise<void>;
  let page: Page;
  /** what the page complained about, and what it asked for beyond its own server */
  const complaints: string[] = [];

  const open = async (width = 1200): Promise<Page> => {
    const opened = await browser.newPage({ viewport: { width, height: 900 } });
    opened.setDefaultTimeout(PATIENCE);
    opened.on('console', (message) => complaints.push(message.text()));
    opened.on('pageerror', (error) => complaints.push(error.message));
    opened.on('request', (request) => {
      if (!request.url().startsWith(server.url)) complaints.push(request.url());
    });
    await opened.goto(server.url);
    return opened;
  };
  /** Rows of the table of chunks, newest first: [chunk, settings, what, ...]. */
  const chunkRows = async (of: Page): Promise<string[][]> =>
    Promise.all(
      (await of.locator('#chunks tbody tr').all()).map((row) => row.locator('td').allTextContents()),
    );
  const frontPicture = (of: Page) => of.evaluate('document.getElementById("camera-front").toDataURL()');

  beforeAll(async () => {
    const bundle = tabletopBundle('object');
    client = await PolicyClient.load(bundle.folder, { execution: { threads: 1 } });
    loop = new LiveLoop({
      bundle,
      settings: { policy: 'c3ache', values: { refresh_interval: '4' }, noise: 'fixed' },
      choice: { suite: 'all', speed: 'slow', condition: 'clean', seed: 1 },
      noiseSeed: 42,
      pace: 0,
      paused: true,
    });
    server = await WatchServer.listen({
      subject: loop,
      port: 0,
      pageWith: (token) => watchPage(bundle, token),
    });
    loop.listener = (event, message) => server.tell(event, message);
    running = loop.run(await client.createEpisode());
    browser = await launchChromium();
    page = await open();
  }, PATIENCE);

  afterAll(async () => {
    loop.stop();
    await running;
    await browser.close();
    await server.close();
    await client.close();
    removeFolders();
  }, PATIENCE);

  // Each begins paused at the beginning of an episode, with the page's word for it.
  beforeEach(async () => {
    complaints.length = 0;
    loop.control({ do: 'pause' });
    loop.control({ do: 'settings', policy: 'c3ache', values: { refresh_interval: '4' }, noise: 'fixed' });
    loop.control({ do: 'next' });
    await page.locator('#run', { hasText: 'Resume' }).waitFor();
    await page.locator('#tile-step', { hasText: /^step 0$/ }).waitFor();
    await page.locator('#configuration', { hasText: /^c3ache R=4 \[0,6\]$/ }).waitFor();
  }, PATIENCE);

  it(
    'shows cameras that change, step by step, under its own content policy',
    async () => {
      const before = await frontPicture(page);
      await page.locator('[data-do="chunk"]').click();
      await page.locator('#tile-step', { hasText: /^step 10$/ }).waitFor();
      expect(await frontPicture(page)).not.toBe(before);
      expect(await page.locator('.curve canvas').count()).toBe(3);
      const [[, settings, what]] = (await chunkRows(page)) as [string[]];
      expect([settings, what]).toEqual(['c3ache R=4 [0,6]', 'refresh: first chunk']);
      expect(await page.locator('#timeline .column').last().locator('.cell-refresh').count()).toBe(1);
      expect(complaints).toEqual([]);
    },
    PATIENCE,
  );

  it(
    "shows R's slider in the settings of the chunks that follow",
    async () => {
      await page.locator('[data-do="step"]').click();
      await page.locator('#tile-step', { hasText: /^step 1$/ }).waitFor();
      await page.locator('#refresh').fill('2');
      await page.locator('#configuration', { hasText: 'c3ache R=2 [0,6]' }).waitFor();
      await page.locator('#end').fill('5');
      await page.locator('#configuration', { hasText: 'c3ache R=2 [0,5]' }).waitFor();
      for (const step of [10, 20, 30]) {
        await page.locator('[data-do="chunk"]').click();
        await page.locator('#tile-step', { hasText: new RegExp(`^step ${step}$`) }).waitFor();
      }
      // Chunk 0 was computed before the slider moved. With R = 2 chunk 2 refreshes; 0 to 5 re-used leaves four stacks.
      const rows = (await chunkRows(page)).slice(0, 3);
      expect(rows.map(([, settings, what, , stacks]) => [settings, what, stacks])).toEqual([
        ['c3ache R=2 [0,5]', 'refresh: interval', '10.00'],
        ['c3ache R=2 [0,5]', 're-used', '4.00'],
        ['c3ache R=4 [0,6]', 'refresh: first chunk', '10.00'],
      ]);
      await expect(page.locator('#timeline .setting').last().textContent()).resolves.toBe('c3ache R=2 [0,5]');
      expect(complaints).toEqual([]);
    },
    PATIENCE,
  );

  it(
    'says what is wrong with a range, keeps the old one, and forgets it when it fits again',
    async () => {
      await page.locator('#start').fill('9');
      const refusal = page.locator('#settings-refusal');
      await refusal.waitFor();
      expect(await refusal.textContent()).toBe('range [9, 6]: start must be at most end, which is 6');
      expect(await page.locator('#configuration').textContent()).toBe('c3ache R=4 [0,6]');
      await page.locator('#start').fill('1');
      await page.locator('#configuration', { hasText: 'c3ache R=4 [1,6]' }).waitFor();
      await refusal.waitFor({ state: 'hidden' });
    },
    PATIENCE,
  );

  it(
    'offers the settings of each policy, and the world',
    async () => {
      await page.locator('#policy').selectOption('adaptive');
      await page.locator('#more summary').click();
      await page.locator('[data-field="tolerance"]').fill('0.2');
      await page.locator('[data-field="tolerance"]').blur();
      await page.locator('#configuration', { hasText: 'adaptive R=4 [0,6] tolerance=0.2' }).waitFor();
      await page.locator('#more summary').click();
      await page.locator('#world-speed').selectOption('fast');
      // the step limit of the fast world is said until an episode has ended
      await page.locator('#tile-episode-note', { hasText: 'limit 110 steps' }).waitFor();
      expect(await page.locator('#world-suite option[value="long"]').isDisabled()).toBe(true);
      await page.locator('#world-speed').selectOption('slow');
      await page.locator('#tile-episode-note', { hasText: 'limit 250 steps' }).waitFor();
      expect(complaints).toEqual([]);
    },
    PATIENCE,
  );

  it(
    'shows the same in a second page, also what the first one has set',
    async () => {
      const second = await open(390);
      await page.locator('#refresh').fill('8');
      await second.locator('#configuration', { hasText: 'c3ache R=8 [0,6]' }).waitFor();
      expect(await second.locator('#refresh').inputValue()).toBe('8');
      expect(await second.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
      await second.close();
      expect(complaints).toEqual([]);
    },
    PATIENCE,
  );

  it(
    'lets the keyboard reach and move what is too wide for a narrow window',
    async () => {
      await page.locator('[data-do="chunk"]').click();
      await page.locator('#tile-step', { hasText: /^step 10$/ }).waitFor();
      const narrow = await open(420);
      await narrow.locator('#chunks tbody tr').first().waitFor();
      // Chromium lets the keyboard into any box that scrolls; other browsers only where the page says so.
      const said = "[...document.querySelectorAll('.scroll')].map((box) => box.tabIndex)";
      expect(await narrow.evaluate(said)).toEqual([0, 0, 0]);
      const reached = new Set<string>();
      for (let presses = 0; presses < 60; presses++) {
        await narrow.keyboard.press('Tab');
        reached.add(await narrow.evaluate(FOCUSED_BOX));
      }
      expect([...reached].filter((id) => id !== '').sort()).toEqual(['chunks', 'tally', 'timeline']);
      await narrow.locator('.scroll:has(#chunks)').focus();
      await narrow.keyboard.press('ArrowRight');
      const moved = "document.querySelector('.scroll:has(#chunks)').scrollLeft";
      await expect.poll(() => narrow.evaluate<number>(moved)).toBeGreaterThan(0);
      await narrow.close();
      expect(complaints).toEqual([]);
    },
    PATIENCE,
  );

  it(
    'is out of reach for pages of other sites',
    async () => {
      const other = await browser.newPage();
      await other.route('http://other.example/', (route) =>
        route.fulfill({ body: '<p>other', contentType: 'text/html' }),
      );
      await other.goto('http://other.example/');
      const attempt = `fetch('${server.url}control', { method: 'POST', mode: 'no-cors', body: '{"do":"resume"}' }).then(() => 'sent', () => 'stopped')`;
      await other.evaluate(attempt);
      expect(loop.snapshot().paused).toBe(true);
      await expect(other.evaluate(`fetch('${server.url}').then((r) => r.text())`)).rejects.toThrow(
        /Failed to fetch/,
      );
      await other.close();
    },
    PATIENCE,
  );

  it(
    'counts the episodes that end',
    async () => {
      await page.locator('#run').click();
      await page.locator('#tally tbody tr').first().waitFor();
      expect(await page.locator('#tile-success').textContent()).toMatch(/^\d+ of \d+$/);
    },
    PATIENCE,
  );
});
