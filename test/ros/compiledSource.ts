import { mkdirSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';
import { ROOT } from './Peer';

/**
 * The folder of the sources as JavaScript, made anew where a source has changed: programs under test start as fast as
 * the installed ones, and are never those of an older build.
 */
export function compiledSource(): string {
  const source = join(ROOT, 'src');
  const root = join(ROOT, 'out', 'test');
  const target = join(root, 'dist');
  mkdirSync(target, { recursive: true });
  // The programs read their version beside the folder that they are in, as in an installation.
  place(join(root, 'package.json'), readFileSync(join(ROOT, 'package.json')));
  for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
    const from = join(entry.parentPath, entry.name);
    const to = join(target, relative(source, from)).replace(/\.ts$/, '.js');
    const made = statSync(to, { throwIfNoEntry: false });
    if (made && made.mtimeMs > statSync(from).mtimeMs) continue;
    const { outputText } = transpileModule(readFileSync(from, 'utf8'), {
      compilerOptions: { module: ModuleKind.CommonJS, target: ScriptTarget.ES2022, esModuleInterop: true },
    });
    mkdirSync(dirname(to), { recursive: true });
    place(to, outputText);
  }
  // What runs in browsers is bundled before any test (test/bundlePages.mjs).
  for (const page of [join('report', 'page.js'), join('watch', 'page.js')]) {
    place(join(target, page), readFileSync(join(ROOT, 'dist', page)));
  }
  return target;
}

/** Test files run side by side: none may start a program that another is half-way through writing. */
function place(path: string, content: string | Buffer): void {
  const part = `${path}.${process.pid}`;
  writeFileSync(part, content);
  renameSync(part, path);
}
