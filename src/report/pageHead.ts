import { hashOf } from './inlined';
import { markup, verbatim } from './Markup';
import type { Markup } from './Markup';

interface PageHead {
  readonly title: string;
  readonly style: string;
  /** the script that the page carries, if any; no other one runs */
  readonly script?: string;
  /** where pictures may come from, as a content security policy says it; default: nowhere */
  readonly images?: string;
}

/** The head of a page that is one file: what it carries is allowed by its hash, and nothing is fetched. */
export function pageHead({ title, style, script, images }: PageHead): Markup {
  const policy = [
    "default-src 'none'",
    `style-src '${hashOf(style)}'`,
    ...(script === undefined ? [] : [`script-src '${hashOf(script)}'`]),
    ...(images === undefined ? [] : [`img-src ${images}`]),
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return markup`<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${verbatim(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${verbatim(style)}</style>
</head>`;
}
