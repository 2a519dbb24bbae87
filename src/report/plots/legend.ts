import { markup, type Markup } from '../Markup';
import type { SeriesStyle } from './seriesStyle';

/** Line samples with names; the grey ones share an entry. */
export function legend(styles: readonly SeriesStyle[]): Markup {
  const others = styles.filter(({ highlighted }) => !highlighted);
  return markup`<ul class="legend">${styles
    .filter(({ highlighted }) => highlighted)
    .map((style) => markup`<li>${sample(style.className)}<span>${style.number} ${style.name}</span></li>`)}${
    others.length > 0 && markup`<li>${sample('sx')}<span>the other ${others.length}</span></li>`
  }</ul>`;
}

/** A short piece of the line of a series. */
export function sample(className: string): Markup {
  return markup`<svg class="sample" viewBox="0 0 26 10" aria-hidden="true"><path class="line ${className}" d="M1 5H25"/></svg>`;
}
