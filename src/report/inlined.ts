import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A file of uPlot (`uPlot.min.css`, `uPlot.iife.min.js`) as it may stand inside a page. */
export function uPlotFile(name: string): string {
  return readFileSync(require.resolve(`uplot/dist/${name}`), 'utf8').replaceAll('</script', '<\\/script');
}

/** As a Content-Security-Policy names an inline script or style. */
export function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
