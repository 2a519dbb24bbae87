import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GENERATED } from '../../scripts/reference/pages';

/** Lines of a page that a person wrote, at most: what is longer is two pages. */
const LONGEST = 250;

const list = ['ls-files', '-co', '--exclude-standard', '--', '*.md'];
const files = execFileSync('git', list, { encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && existsSync(file) && !file.startsWith('test/fixtures'));

/** Text outside of blocks of code. */
const prose = (file: string): string => readFileSync(file, 'utf8').replaceAll(/^```[^]*?^```$/gm, '');

/** Anchors of a page's headings, as GitHub and VitePress both make them of plain words. */
const anchors = (file: string): readonly string[] =>
  [...prose(file).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) =>
    heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(/\s/g, '-'),
  );

const links = (file: string): readonly string[] =>
  [...prose(file).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, url]) =>
    url === undefined || /^[a-z]+:/.test(url) ? [] : [url],
  );

describe('the pages', () => {
  it('are all found', () => expect(files.length).toBeGreaterThan(30));

  it.each(files)('%s: every link and anchor leads somewhere', (file) => {
    const dead = links(file).filter((url) => {
      const [path = '', anchor] = url.split('#');
      const target = path === '' ? file : normalize(join(dirname(file), decodeURIComponent(path)));
      if (!existsSync(target)) return true;
      return anchor !== undefined && !anchors(target).includes(anchor);
    });
    expect(dead).toEqual([]);
  });

  it.each(files.filter((file) => file.startsWith('docs/')))('%s: is short, or generated', (file) => {
    const text = readFileSync(file, 'utf8');
    if (!text.startsWith(GENERATED)) expect(text.split('\n').length).toBeLessThanOrEqual(LONGEST);
  });

  it('in docs/ are each reached from another page', () => {
    const reached = new Set(
      files.flatMap((file) =>
        links(file).map((url) => normalize(join(dirname(file), url.split('#')[0] ?? ''))),
      ),
    );
    const lonely = files.filter((file) => file.startsWith('docs/') && !reached.has(file));
    expect(lonely.filter((file) => file !== 'docs/index.md')).toEqual([]);
  });
});
