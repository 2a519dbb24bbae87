import { readFileSync, statSync } from 'node:fs';
import { LineCounter, isAlias, isMap, isScalar, isSeq, parseDocument } from 'yaml';
import type { Node, YAMLMap } from 'yaml';
import { FileFormatError, UsageError, messageOf } from '../errors';
import { quoted } from '../formats/quoted';

export type ParameterScalar = string | number | boolean;
export type ParameterValue = ParameterScalar | readonly ParameterScalar[];

/** One parameter with its full, dotted name and the line where it stands. */
export interface ParameterEntry {
  readonly name: string;
  readonly value: ParameterValue;
  /** from 1 */
  readonly line: number;
}

/** The parameters that a ROS 2 params file has for one node. */
export interface ParameterFile {
  readonly file: string;
  readonly entries: ReadonlyMap<string, ParameterEntry>;
}

export const DEFAULT_NODE = 'fast_wam_policy';

/** More than any set of parameters needs; a file beyond it is something else. */
const MAX_BYTES = 4 * 2 ** 20;
const MAX_DEPTH = 32;
const PARAMETERS = 'ros__parameters';

/** A `ros__parameters` block and the node it is for, as a path: `/**`, `/robot1/fast_wam_policy`. */
interface Section {
  readonly node: string;
  readonly body: YAMLMap;
}

class Reader {
  readonly #file: string;
  readonly #lines = new LineCounter();

  constructor(file: string) {
    this.#file = file;
  }

  root(text: string): YAMLMap {
    const document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
    const [error] = document.errors;
    if (error !== undefined) {
      const line = this.#lines.linePos(error.pos[0]).line;
      throw new FileFormatError(`${this.#file}:${line}`, `is not YAML: ${messageOf(error)}`, {
        cause: error,
      });
    }
    if (!isMap(document.contents)) {
      throw new FileFormatError(
        this.#file,
        `is not a ROS 2 params file: expected "/**:" with "${PARAMETERS}:" inside`,
      );
    }
    return document.contents;
  }

  /** All parameter blocks, wherever namespaces nest them. */
  sections(map: YAMLMap, path: readonly string[] = []): Section[] {
    this.#checkDepth(map, path.length);
    return map.items.flatMap((item) => {
      const key = this.#key(item.key);
      if (key === PARAMETERS) {
        if (!isMap(item.value)) {
          if (isScalar(item.value) && item.value.value === null) return [];
          throw this.#wrong(item.key, `${PARAMETERS} must hold parameter names with values`);
        }
        return [{ node: `/${path.join('/')}`, body: item.value }];
      }
      if (!isMap(item.value)) return [];
      return this.sections(item.value, [...path, ...key.split('/').filter((part) => part !== '')]);
    });
  }

  /** Adds the parameters of a block under their dotted names. */
  flatten(map: YAMLMap, prefix: string, into: Map<string, ParameterEntry>, depth = 0): void {
    this.#checkDepth(map, depth);
    for (const item of map.items) {
      const name = prefix + this.#key(item.key);
      const value = item.value as Node | null;
      if (isMap(value)) {
        this.flatten(value, `${name}.`, into, depth + 1);
        continue;
      }
      const line = this.#line(item.key);
      const earlier = into.get(name);
      if (earlier !== undefined) {
        throw this.#wrong(item.key, `${quoted(name)} was already set in line ${earlier.line}`);
      }
      into.set(name, { name, line, value: this.#value(name, value, item.key) });
    }
  }

  #value(name: string, node: Node | null, key: unknown): ParameterValue {
    if (isSeq(node)) return node.items.map((item) => this.#scalar(name, item, key));
    return this.#scalar(name, node, key);
  }

  #scalar(name: string, node: unknown, key: unknown): ParameterScalar {
    if (isAlias(node))
      throw this.#wrong(key, `${quoted(name)} uses an alias (*name), which ROS 2 params files do not have`);
    const value = isScalar(node) ? node.value : undefined;
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
    if (value === null || node === null) throw this.#wrong(key, `${quoted(name)} has no value`);
    throw this.#wrong(key, `${quoted(name)} must be a text, a number, a boolean or a list of one of them`);
  }

  #key(node: unknown): string {
    const value = isScalar(node) ? node.value : undefined;
    if (typeof value === 'string' || typeof value === 'number') return String(value);
    throw this.#wrong(node, 'a key must be a plain name');
  }

  #checkDepth(map: YAMLMap, depth: number): void {
    if (depth > MAX_DEPTH) throw this.#wrong(map, `is nested more than ${MAX_DEPTH} levels deep`);
  }

  #line(node: unknown): number {
    const offset = (node as Node | null)?.range?.[0];
    return offset === undefined ? 1 : this.#lines.linePos(offset).line;
  }

  #wrong(node: unknown, problem: string): UsageError {
    return new UsageError(`${this.#file}:${this.#line(node)}: ${problem}`);
  }
}

function isWildcard(node: string): boolean {
  return node.endsWith('*');
}

/** Whether a section's node path is for `node`; a bare name is found in every namespace. */
function isFor(section: Section, node: string): boolean {
  if (isWildcard(section.node)) return true;
  if (node.startsWith('/'))
    return section.node === node || section.node === `/**/${node.split('/').pop() ?? ''}`;
  return section.node.split('/').pop() === node;
}

function readText(path: string): string {
  try {
    const { size } = statSync(path);
    if (size > MAX_BYTES) throw new FileFormatError(path, `has ${size} bytes, too many for a params file`);
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof FileFormatError) throw error;
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new FileFormatError(path, missing ? 'does not exist' : `cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/**
 * Reads what a ROS 2 params file sets for one node. Keys may be nested or dotted; later sections win over earlier
 * ones, as with `--params-file`.
 *
 * @param node bare (`fast_wam_policy`, found in any namespace) or full name (`/robot1/fast_wam_policy`)
 * @throws FileFormatError where the file is not YAML or has no parameters, UsageError with file and line where a
 * key is set twice, has no value, or several namespaces have the node.
 */
export function readParameterFile(path: string, node: string = DEFAULT_NODE): ParameterFile {
  const reader = new Reader(path);
  const sections = reader.sections(reader.root(readText(path)));
  if (sections.length === 0) {
    throw new FileFormatError(
      path,
      `has no "${PARAMETERS}:"; a ROS 2 params file starts with "/**:" and "  ${PARAMETERS}:"`,
    );
  }
  const chosen = sections.filter((section) => isFor(section, node));
  const named = new Set(chosen.map((s) => s.node).filter((name) => !isWildcard(name)));
  if (chosen.length === 0) {
    const there = sections.map((s) => quoted(s.node)).join(', ');
    throw new UsageError(`${path}: has no parameters for the node ${quoted(node)}, only for ${there}`);
  }
  if (named.size > 1) {
    throw new UsageError(
      `${path}: has parameters for ${[...named].map((n) => quoted(n)).join(' and ')}; say which node is meant by its full name`,
    );
  }
  const entries = new Map<string, ParameterEntry>();
  for (const section of chosen) {
    const block = new Map<string, ParameterEntry>();
    reader.flatten(section.body, '', block);
    for (const [name, entry] of block) entries.set(name, entry);
  }
  return { file: path, entries };
}
