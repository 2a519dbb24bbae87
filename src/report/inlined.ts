import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FastWamError } from '../errors';

/** Rooms whose pages carry a script, made from their `page/main.ts`. */
export type ScriptedRoom = 'report' | 'watch';

/**
 * The script of a room's page, with the licence of what is bundled in it.
 * @throws FastWamError where it was not built
 */
export function pageScript(room: ScriptedRoom): string {
  // Beside this file once it is built, and found from the sources as well.
  const file = join(__dirname, '..', '..', 'dist', room, 'page.js');
  try {
    return inlined(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new FastWamError(`${file} cannot be read; \`npm run build\` makes it`, { cause: error });
  }
}

/** The style of uPlot as it may stand inside a page: its licence goes with it. */
export function uPlotStyle(): string {
  const licence = readFileSync(require.resolve('uplot/LICENSE'), 'utf8');
  const style = readFileSync(require.resolve('uplot/dist/uPlot.min.css'), 'utf8');
  return inlined(`/* uPlot\n${licence}*/\n${style}`);
}

/** As a Content-Security-Policy names an inline script or style. */
export function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

/** Nothing in it can end the element that it stands in. */
function inlined(text: string): string {
  return text.replace(/<\/(?=script|style)/gi, '<\\/');
}
