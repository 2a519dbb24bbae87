import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';

const DOCS = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const ROOT = dirname(DOCS);

/** Where the sources can be looked at; without it what lies outside of docs/ is named and not linked. */
const SOURCES = process.env.DOCS_SOURCES?.replace(/\/$/, '');

const titleOf = (file: string): string => /^# (.+)$/m.exec(readFileSync(file, 'utf8'))?.[1] ?? file;

/** A page for each file of a folder, by title. */
function pagesOf(folder: string) {
  const path = join(DOCS, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((name) => name.endsWith('.md'))
    .map((name) => ({
      text: titleOf(join(path, name)).replaceAll('`', ''),
      link: `/${folder}/${name.replace('.md', '')}`,
    }))
    .sort((a, b) => a.text.localeCompare(b.text));
}

const page = (name: string) => ({ text: titleOf(join(DOCS, `${name}.md`)), link: `/${name}` });

export default defineConfig({
  title: 'fast_wam_policy',
  description: 'Fast-WAM on a robot, cheaper by what it repeats, and what that costs.',
  // Opened from any folder of a server. No fonts or scripts from elsewhere.
  base: process.env.DOCS_BASE ?? '/',
  cleanUrls: false,
  lastUpdated: false,
  srcExclude: ['node_modules/**', 'package.json'],
  // Dead links fail the build; what lies outside of docs/ is held by test/docs/pages.test.ts.
  ignoreDeadLinks: false,
  markdown: {
    // As code hosts do it, so that a link with an anchor leads to the same place in both.
    anchor: {
      slugify: (heading) =>
        heading
          .toLowerCase()
          .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
          .trim()
          .replaceAll(/\s/g, '-'),
    },
    config: (md) => {
      const render =
        md.renderer.rules.link_open ??
        ((tokens, i, options, _, self) => self.renderToken(tokens, i, options));
      md.core.ruler.push('outside', ({ tokens, env }) => {
        for (const { children } of tokens) {
          for (const [i, token] of (children ?? []).entries()) {
            const href = token.type === 'link_open' ? String(token.attrGet('href')) : '';
            if (href === '' || /^([a-z]+:|#|\/)/.test(href)) continue;
            const target = resolve(
              dirname(join(DOCS, String(env.relativePath))),
              decodeURI(href.split('#')[0] ?? ''),
            );
            if (!relative(DOCS, target).startsWith('..')) continue;
            const path = relative(ROOT, target);
            const kind = existsSync(target) && statSync(target).isDirectory() ? 'tree' : 'blob';
            if (SOURCES !== undefined) token.attrSet('href', `${SOURCES}/${kind}/main/${path}`);
            else {
              token.tag = 'span';
              token.attrs = [['title', path]];
              const close = children?.slice(i).find(({ type }) => type === 'link_close');
              if (close) close.tag = 'span';
            }
          }
        }
      });
      md.renderer.rules.link_open = (tokens, i, options, env, self) =>
        tokens[i]?.tag === 'span'
          ? self.renderToken(tokens, i, options)
          : render(tokens, i, options, env, self);
    },
  },
  themeConfig: {
    search: { provider: 'local' },
    outline: { level: [2, 3] },
    nav: [
      { text: 'Tutorial', link: '/tutorial/tuned-robot' },
      { text: 'How to', link: '/how-to/run-on-a-robot' },
      { text: 'Reference', link: '/reference/commands' },
      { text: 'Explanation', link: '/explanation/caches' },
    ],
    sidebar: [
      { text: 'Tutorial', items: pagesOf('tutorial') },
      {
        text: 'How to',
        items: [...pagesOf('how-to'), page('extending'), page('adding-a-cache')],
        collapsed: false,
      },
      {
        text: 'Reference',
        items: [
          ...pagesOf('reference'),
          page('troubleshooting'),
          page('glossary'),
          { text: 'API of the engine', link: '/api/' },
        ],
        collapsed: false,
      },
      {
        text: 'Explanation',
        items: [...pagesOf('explanation'), page('architecture'), page('decisions')],
        collapsed: false,
      },
    ],
  },
});
