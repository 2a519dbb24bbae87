import { markup, type Markup } from '../Markup';

/** A box that scrolls what is too wide for it: shadows at its sides say so, and the keyboard reaches it. */
export function scroll(content: Markup): Markup {
  return markup`<div class="scroll" tabindex="0">${content}</div>`;
}
