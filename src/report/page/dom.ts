/** Small tools of every script that runs in a page. */

const SVG_NAMESPACE = 'http://www.w3.org/2000/svg';

/** An element class with which a page's element is found and typed. */
export type ElementClass<E extends Element> = abstract new (...parameters: never[]) => E;

/**
 * The element of that id. The page and its script are made together, so one that is missing is a fault of the program.
 * @throws Error that names the id
 */
export function byId<E extends Element = HTMLElement>(id: string, type?: ElementClass<E>): E {
  const element = document.getElementById(id);
  if (!element || (type && !(element instanceof type))) throw new Error(`the page has no #${id} as expected`);
  return element as Element as E;
}

/** The first element below that fits the selector. @throws Error that names the selector */
export function within(parent: ParentNode, selector: string): HTMLElement {
  const element = parent.querySelector<HTMLElement>(selector);
  if (!element) throw new Error(`the page has no ${selector} as expected`);
  return element;
}

/** The JSON that the page carries in `<script type="application/json" id="…">`. */
export function carriedJson(id: string): unknown {
  return JSON.parse(byId(id).textContent) as unknown;
}

/** A colour of the page's style, by the name of its custom property: follows light and dark mode. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** The font of plots that are drawn on a canvas. */
export function plotFont(): string {
  return `11.5px ${getComputedStyle(document.body).fontFamily}`;
}

/** Calls back when the reader changes between light and dark. */
export function onColourScheme(changed: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
}

/** An SVG element. */
export function svg(
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  ...children: (Node | string)[]
): SVGElement {
  const made = document.createElementNS(SVG_NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...children);
  return made;
}
