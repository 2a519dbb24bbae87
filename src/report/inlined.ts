import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A file of uPlot (`uPlot.min.css`, `uPlot.iife.min.js`) as it may stand inside a page: its licence goes with it. */
export function uPlotFile(name: string): string {
  const licence = readFileSync(require.resolve('uplot/LICENSE'), 'utf8');
  const content = readFileSync(require.resolve(`uplot/dist/${name}`), 'utf8');
  return `/* uPlot\n${licence}*/\n${content}`.replaceAll('</script', '<\\/script');
}

/** As a Content-Security-Policy names an inline script or style. */
export function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
