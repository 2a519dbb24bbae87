import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cleanPrompt, fixText } from '../../src/text/cleaning';
import { fixMojibake } from '../../src/text/mojibake';

const golden = JSON.parse(readFileSync('test/fixtures/umt5_micro/golden.json', 'utf8')) as {
  texts: string[];
  upstream_cleaned: string[];
};
/** Pairs of a text and what ftfy 6.3.1, html.unescape twice and the collapsing of spaces make of it. */
const pairs = JSON.parse(readFileSync('test/fixtures/text_golden/cleaned.json', 'utf8')) as [
  string,
  string,
][];

describe("the original's cleaning", () => {
  it('gives the golden texts', () => {
    expect(golden.texts.map((text) => cleanPrompt(text, 'upstream'))).toEqual(golden.upstream_cleaned);
  });

  it('gives what Python gives for mojibake, entities, control characters, ligatures and widths', () => {
    expect(pairs.length).toBeGreaterThan(200);
    for (const [text, cleaned] of pairs)
      expect([text, cleanPrompt(text, 'upstream')]).toEqual([text, cleaned]);
  });
});

it('a text that was put right has nothing left to put right', () => {
  for (const [text] of pairs) expect(fixText(fixText(text))).toBe(fixText(text));
});

it("LeRobot's cleaning leaves every text as it is", () => {
  for (const text of golden.texts) expect(cleanPrompt(text, 'none')).toBe(text);
});

describe('mojibake', () => {
  it('is put right also where it happened twice, and in a part of a text', () => {
    expect(fixMojibake('cafÃƒÂ©')).toBe('café');
    expect(fixMojibake('把 cafÃ© 放')).toBe('把 café 放');
  });

  it.each(['Größe', 'à côté', 'señor ¿qué?', '赤い', 'красный', 'ελληνικά', '20 °C ±½', 'naïve façade'])(
    'is not seen in %s',
    (text) => expect(fixMojibake(text)).toBe(text),
  );
});
