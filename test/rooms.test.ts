import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { preProcessFile } from 'typescript';
import { describe, expect, it } from 'vitest';

const ROOT = join(__dirname, '..');
const PAGE = 'docs/architecture.md';

/** Source files with the source files that they import, relative to src. */
function importsOfSources(): ReadonlyMap<string, readonly string[]> {
  const src = join(ROOT, 'src');
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  return new Map(
    files.map((file) => {
      const path = join(src, file);
      const { importedFiles } = preProcessFile(readFileSync(path, 'utf8'), true, true);
      const targets = importedFiles
        .filter(({ fileName }) => fileName.startsWith('.'))
        .map(({ fileName }) => join(dirname(path), `${fileName}.ts`))
        .filter((target) => existsSync(target))
        .map((target) => relative(src, target));
      return [file, targets];
    }),
  );
}

/** The rooms in the order of the tables of docs/architecture.md, inner ones first. */
function roomsOfTheTables(): readonly string[] {
  const page = readFileSync(join(ROOT, PAGE), 'utf8');
  return [...page.matchAll(/^\| \[`([\w/]+)`\]\(\.\.\/src\/([\w/]+)\)/gm)].map(([, name, folder]) => {
    expect(folder).toBe(name);
    return name!;
  });
}

/** The public door: outside of all rooms. */
const DOOR = 'index.ts';

/** `ros/client` of `ros/client/rclnodejs.ts`; nothing for what lies directly in src, which serves all. */
function roomOf(file: string): string | undefined {
  const folders = file.split('/').slice(0, -1);
  return folders[0] === 'ros' ? folders.slice(0, 2).join('/') : folders[0];
}

const imports = importsOfSources();
const rooms = roomsOfTheTables();

describe('the rooms of src', () => {
  it('are those of the tables, each once', () => {
    const found = new Set([...imports.keys()].flatMap((file) => roomOf(file) ?? []));
    expect([...rooms].sort()).toEqual([...found].sort());
  });

  it('import no room that stands further down', () => {
    const outward = [...imports].flatMap(([file, targets]) => {
      if (file === DOOR) return [];
      const room = roomOf(file);
      return targets
        .filter((target) => {
          const other = roomOf(target);
          if (other === undefined) return false;
          return room === undefined || rooms.indexOf(other) > rooms.indexOf(room);
        })
        .map((target) => `${file} imports ${target}`);
    });
    expect(outward).toEqual([]);
  });

  it('hold no files that import each other in a circle', () => {
    const circles: string[] = [];
    const done = new Set<string>();
    const visit = (file: string, way: readonly string[]): void => {
      const at = way.indexOf(file);
      if (at >= 0) circles.push([...way.slice(at), file].join(' > '));
      if (at >= 0 || done.has(file)) return;
      for (const target of imports.get(file) ?? []) visit(target, [...way, file]);
      done.add(file);
    };
    for (const file of imports.keys()) visit(file, []);
    expect(circles).toEqual([]);
  });

  it('name files to read first that are there', () => {
    const page = readFileSync(join(ROOT, PAGE), 'utf8');
    for (const [, room, cell] of page.matchAll(/^\| \[`([\w/]+)`\].*\|([^|]*)\|$/gm))
      for (const [, name] of cell!.matchAll(/`([\w.]+)`/g))
        expect(existsSync(join(ROOT, 'src', room!, name!)), `${room!}/${name!}`).toBe(true);
  });
});
