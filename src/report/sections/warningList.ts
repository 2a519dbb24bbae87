import type { Warning } from '../../evaluation/types';
import { markup, type Markup } from '../Markup';
import { plural } from '../numbers';

/** More warnings than these are folded away. */
const OPEN_WARNINGS = 8;

/** What a reader must know before believing the figures. */
export function warningList(all: readonly Warning[]): Markup | undefined {
  if (all.length === 0) return undefined;
  const item = ({ message, time, configuration }: Warning): Markup =>
    markup`<li>${time !== undefined && markup`<time>${time.toFixed(2)} s</time> `}${configuration !== undefined && markup`${configuration}: `}${message}</li>`;
  const rest = all.slice(OPEN_WARNINGS);
  return markup`<section class="warnings"><h2>${plural(all.length, 'warning')}</h2><ul>${all.slice(0, OPEN_WARNINGS).map(item)}</ul>${
    rest.length > 0 &&
    markup`<details><summary>${rest.length} more</summary><ul>${rest.map(item)}</ul></details>`
  }</section>`;
}
