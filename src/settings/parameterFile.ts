import { isAlias, isMap, isScalar, isSeq } from 'yaml';
import type { LineCounter, Node, Scalar, YAMLMap } from 'yaml';
import { FileFormatError, UsageError } from '../errors';
import { readYaml } from '../formats/readYaml';
import { quoted } from '../words/quoted';

export type ParameterScalar = string | number | boolean;
export type ParameterValue = ParameterScalar | readonly ParameterScalar[];

/** One parameter with its full, dotted name and the line where it stands. */
export interface ParameterEntry {
  readonly name: string;
  readonly value: ParameterValue;
  /** from 1 */
  readonly line: number;
  /** from a section for several nodes (`/**`), which may hold what only others declare */
  readonly shared: boolean;
}

/** The parameters that a ROS 2 params file has for one node. */
export interface ParameterFile {
  readonly file: string;
  readonly entries: ReadonlyMap<string, ParameterEntry>;
}

export const DEFAULT_NODE = 'fast_wam_policy';

const MAX_DEPTH = 32;
const PARAMETERS = 'ros__parameters';

/** A `ros__parameters` block and the node it is for, as a path: `/**`, `/robot1/fast_wam_policy`. */
interface Section {
  readonly node: string;
  readonly body: YAMLMap;
}

class Reader {
  readonly #file: string;
  #lines: LineCounter | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  root(): YAMLMap {
    const { document, lines } = readYaml(this.#file);
    this.#lines = lines;
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
  flatten(map: YAMLMap, shared: boolean, into: Map<string, ParameterEntry>, prefix = '', depth = 0): void {
    this.#checkDepth(map, depth);
    for (const item of map.items) {
      const name = prefix + this.#key(item.key);
      const value = item.value as Node | null;
      if (isMap(value)) {
        this.flatten(value, shared, into, `${name}.`, depth + 1);
        continue;
      }
      const line = this.#line(item.key);
      const earlier = into.get(name);
      if (earlier !== undefined) {
        throw this.#wrong(item.key, `${quoted(name)} was already set in line ${earlier.line}`);
      }
      into.set(name, { name, line, shared, value: this.#value(name, value, item.key) });
    }
  }

  #value(name: string, node: Node | null, key: unknown): ParameterValue {
    if (isSeq(node)) return node.items.map((item) => this.#scalar(name, item, key));
    return this.#scalar(name, node, key);
  }

  #scalar(name: string, node: unknown, key: unknown): ParameterScalar {
    if (isAlias(node))
      throw this.#wrong(key, `${quoted(name)} uses an alias (*name), which ROS 2 params files do not have`);
    const value = isScalar(node) ? asRosReads(node) : undefined;
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
    if (value === null || node === null) throw this.#wrong(key, `${quoted(name)} has no value`);
    throw this.#wrong(key, `${quoted(name)} must be a text, a number, a boolean or a list of one of them`);
  }

  #key(node: unknown): string {
    const value = isScalar(node) ? asRosReads(node) : undefined;
    if (typeof value === 'string' || typeof value === 'number') return String(value);
    throw this.#wrong(node, 'a key must be a plain name');
  }

  #checkDepth(map: YAMLMap, depth: number): void {
    if (depth > MAX_DEPTH) throw this.#wrong(map, `is nested more than ${MAX_DEPTH} levels deep`);
  }

  #line(node: unknown): number {
    const offset = (node as Node | null)?.range?.[0];
    return offset === undefined ? 1 : (this.#lines?.linePos(offset).line ?? 1);
  }

  #wrong(node: unknown, problem: string): UsageError {
    return new UsageError(`${this.#file}:${this.#line(node)}: ${problem}`);
  }
}

/** Plain words that rcl_yaml_param_parser takes for true and false; YAML 1.2 knows two of them. */
const TRUE = new Set(['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON']);
const FALSE = new Set(['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF']);

/** A value as the node would get it from this file: rcl's parser reads plain scalars by the rules of YAML 1.1 and C. */
function asRosReads({ value, source = '', type }: Scalar): unknown {
  if (type !== 'PLAIN') return value;
  if (TRUE.has(source)) return true;
  if (FALSE.has(source)) return false;
  // strtol with base 0: a leading zero is octal
  if (/^[-+]?0[0-7]+$/.test(source)) return Number.parseInt(source, 8);
  return value;
}

function isShared({ node }: Section): boolean {
  return node.includes('*') && !/\*\*\/[^*/]+$/.test(node);
}

/** Whether a section is for the node of a full name: `*` stands for one level, `**` for any number of them. */
function isFor(section: Section, fullName: string): boolean {
  const parts = section.node.split('/').filter((part) => part !== '');
  const pattern = parts
    .map((part) => {
      if (part === '**') return '(?:/[^/]+)*';
      return `/${part === '*' ? '[^/]+' : part.replace(/[^\w]/g, '\\$&')}`;
    })
    .join('');
  return new RegExp(`^${pattern}$`).test(fullName);
}

/**
 * Full names that a node of a bare name could have, as far as the file tells namespaces apart. Sections that name the
 * node go before those for all nodes of a namespace.
 */
function possibleNames(sections: readonly Section[], name: string): readonly string[] {
  const named = sections.filter(({ node }) => node.split('/').pop() === name);
  const wild = sections.filter(({ node }) => /\*$/.test(node));
  const candidates = (named.length > 0 ? named : wild).map(({ node }) => {
    const namespace = node.split('/').slice(1, -1);
    const levels = namespace.flatMap((part) => (part === '**' ? [] : [part === '*' ? 'any' : part]));
    return `/${[...levels, name].join('/')}`;
  });
  return [...new Set(candidates)];
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
  const sections = reader.sections(reader.root());
  if (sections.length === 0) {
    throw new FileFormatError(
      path,
      `has no "${PARAMETERS}:"; a ROS 2 params file starts with "/**:" and "  ${PARAMETERS}:"`,
    );
  }
  const names = node.startsWith('/') ? [node] : possibleNames(sections, node);
  const settings = names.map((name) => {
    const chosen = sections.filter((section) => isFor(section, name));
    const entries = new Map<string, ParameterEntry>();
    for (const section of chosen) {
      const block = new Map<string, ParameterEntry>();
      reader.flatten(section.body, isShared(section), block);
      for (const [key, entry] of block) entries.set(key, entry);
    }
    return { name, chosen, entries };
  });
  // A namespace whose sections all hold for another one too says nothing of its own.
  const distinct = settings.filter(
    ({ chosen }, i) =>
      chosen.length > 0 &&
      !settings.some(
        (other, j) =>
          j !== i &&
          chosen.every((section) => other.chosen.includes(section)) &&
          (other.chosen.length > chosen.length || j < i),
      ),
  );
  const [first, ...others] = distinct;
  if (first === undefined) {
    const there = sections.map((s) => quoted(s.node)).join(', ');
    throw new UsageError(`${path}: has no parameters for the node ${quoted(node)}, only for ${there}`);
  }
  if (others.some(({ entries }) => valuesOf(entries) !== valuesOf(first.entries))) {
    const sources = distinct.map(({ chosen }) => quoted(chosen.at(-1)?.node ?? ''));
    throw new UsageError(
      `${path}: has different parameters for ${sources.join(' and ')}; leave one of them, so that it is clear which robot is meant`,
    );
  }
  return { file: path, entries: first.entries };
}

function valuesOf(entries: ReadonlyMap<string, ParameterEntry>): string {
  return JSON.stringify([...entries.values()].map(({ name, value }) => [name, value]).sort());
}
