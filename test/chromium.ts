import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

const PROGRAM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Whether this machine has no browser to open pages with; says so, for the test that will be skipped. */
export function chromiumMissing(what: string): boolean {
  if (PROGRAM === undefined) console.warn(`no Chromium here: ${what} is not opened in a browser`);
  return PROGRAM === undefined;
}

/** Starts the machine's own browser: none is downloaded. */
export function launchChromium(): Promise<Browser> {
  if (PROGRAM === undefined) throw new Error('no Chromium here');
  return chromium.launch({ executablePath: PROGRAM, args: ARGUMENTS });
}
