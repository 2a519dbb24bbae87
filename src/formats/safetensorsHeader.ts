import { FileFormatError } from '../errors';
import { quoted } from '../words/quoted';

/** One entry of a safetensors header as it stands there; offsets count from the start of the data section. */
export interface SafetensorsHeaderEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly entries: readonly SafetensorsHeaderEntry[];
  readonly metadata: ReadonlyMap<string, string>;
}

/** Tensors of more dimensions than this are taken for damage. */
const LARGEST_RANK = 32;

/**
 * Parses the JSON of a safetensors header: `{"name": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, ...}`
 * and an optional `"__metadata__": {"key": "text"}`. The parser knows this one schema and nothing else, which is
 * what lets it find duplicate keys (JSON.parse keeps the last one silently) and keeps a hostile header from
 * building large or deep structures. Throws FileFormatError that names the byte and what was expected there.
 */
export function parseSafetensorsHeader(json: string, path: string): SafetensorsHeader {
  return new HeaderParser(json, path).parse();
}

const INTEGER = /(?:0|[1-9][0-9]{0,15})(?![0-9.eE+-])/y;

class HeaderParser {
  readonly #text: string;
  readonly #path: string;
  #at = 0;

  constructor(text: string, path: string) {
    this.#text = text;
    this.#path = path;
  }

  parse(): SafetensorsHeader {
    const entries: SafetensorsHeaderEntry[] = [];
    let metadata = new Map<string, string>();
    if (!this.#text.startsWith('{')) this.#fail('a "{"');
    this.#object((name) => {
      if (name === '__metadata__') metadata = this.#metadata();
      else entries.push(this.#entry(name));
    });
    this.#skipSpace();
    if (this.#at !== this.#text.length) this.#fail('only spaces after the closing "}"');
    return { entries, metadata };
  }

  #metadata(): Map<string, string> {
    const metadata = new Map<string, string>();
    this.#object((key) => metadata.set(key, this.#string('the text of a metadata entry')));
    return metadata;
  }

  #entry(name: string): SafetensorsHeaderEntry {
    const start = this.#at;
    let dtype: string | undefined;
    let shape: number[] | undefined;
    let offsets: number[] | undefined;
    this.#object((key) => {
      if (key === 'dtype') dtype = this.#string('a dtype such as "F32"');
      else if (key === 'shape') shape = this.#integers();
      else if (key === 'data_offsets') offsets = this.#integers();
      else this.#fail(`dtype, shape or data_offsets instead of ${quoted(key)}`);
    });
    const [begin, end, ...more] = offsets ?? [];
    if (
      dtype === undefined ||
      shape === undefined ||
      begin === undefined ||
      end === undefined ||
      more.length > 0
    ) {
      this.#at = start;
      return this.#fail(`dtype, shape and two data_offsets for tensor ${quoted(name)}`);
    }
    return { name, dtype, shape, begin, end };
  }

  /** Reads `{ "key": value, ... }`; `value` must consume what follows the colon. */
  #object(value: (key: string) => void): void {
    this.#take('{');
    if (this.#peek('}')) {
      this.#take('}');
      return;
    }
    const seen = new Set<string>();
    for (;;) {
      const start = this.#at;
      const key = this.#string('a key');
      if (seen.has(key)) {
        this.#at = start;
        this.#fail(`every key once, but ${quoted(key)} stands there twice`);
      }
      seen.add(key);
      this.#take(':');
      value(key);
      if (!this.#peek(',')) break;
      this.#take(',');
    }
    this.#take('}');
  }

  #integers(): number[] {
    const numbers: number[] = [];
    this.#take('[');
    while (!this.#peek(']')) {
      if (numbers.length > 0) this.#take(',');
      if (numbers.length === LARGEST_RANK) this.#fail(`at most ${LARGEST_RANK} numbers`);
      this.#skipSpace();
      INTEGER.lastIndex = this.#at;
      const digits = INTEGER.exec(this.#text)?.[0] ?? this.#fail('a whole number of at most 16 digits');
      this.#at += digits.length;
      numbers.push(Number(digits));
    }
    this.#take(']');
    return numbers;
  }

  #string(expected: string): string {
    this.#skipSpace();
    if (this.#text[this.#at] !== '"') this.#fail(expected);
    // By hand: a regular expression would need stack for a name of many megabytes.
    let end = this.#at + 1;
    while (end < this.#text.length && this.#text[end] !== '"') end += this.#text[end] === '\\' ? 2 : 1;
    const literal = this.#text.slice(this.#at, end + 1);
    try {
      const text = JSON.parse(literal) as string;
      this.#at += literal.length;
      return text;
    } catch {
      return this.#fail(expected);
    }
  }

  #peek(symbol: string): boolean {
    this.#skipSpace();
    return this.#text.startsWith(symbol, this.#at);
  }

  #take(symbol: string): void {
    if (!this.#peek(symbol)) this.#fail(`a "${symbol}"`);
    this.#at += symbol.length;
  }

  #skipSpace(): void {
    while (this.#at < this.#text.length && ' \t\n\r'.includes(this.#text.charAt(this.#at))) this.#at++;
  }

  #fail(expected: string): never {
    const found =
      this.#at < this.#text.length ? quoted(this.#text.slice(this.#at, this.#at + 20)) : 'its end';
    throw new FileFormatError(
      this.#path,
      `safetensors header, character ${this.#at}: found ${found}, expected ${expected}`,
    );
  }
}
