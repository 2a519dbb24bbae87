import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

/** All that the sources say, with literals that are broken over lines joined again. */
const sources = ['src', 'scripts']
  .flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(ts|sh)$/.test(file))
      .map((file) => readFileSync(join(folder, file), 'utf8')),
  )
  .join('\n')
  .replaceAll(/['`"]\s*\+\s*['`"]/g, '')
  .replaceAll("\\'", "'");

const page = readFileSync('docs/troubleshooting.md', 'utf8');
const sentences = [...page.matchAll(/^\| `([^`]+)` +\|/gm)].map(([, sentence]) => sentence!);

it('troubleshooting has sentences', () => expect(sentences.length).toBeGreaterThan(15));

it.each(sentences)('the code prints "%s"', (sentence) => {
  for (const part of sentence.split('…')) expect(sources).toContain(part.trim());
});
