/** Items that torch.save and Python put into a dictionary with one instruction. */
const BATCH = 1000;

/**
 * Writes a Python pickle of protocol 2, the one torch.save uses. Each method appends one instruction of the stack
 * machine (https://docs.python.org/3/library/pickletools.html); names and texts that repeat are fetched from the memo.
 */
export class PickleWriter {
  readonly #parts: Buffer[] = [Buffer.of(0x80, 2)];
  readonly #memo = new Map<string, number>();

  /** None, True, False or text. */
  scalar(value: null | boolean | string): this {
    if (typeof value === 'string') return this.text(value);
    return this.#op(value === null ? 0x4e /* NONE */ : value ? 0x88 /* NEWTRUE */ : 0x89 /* NEWFALSE */);
  }

  /** An int where the number is a whole one, else a float. */
  number(value: number): this {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      const bytes = Buffer.alloc(9, 0x47 /* BINFLOAT */);
      bytes.writeDoubleBE(value, 1);
      return this.#append(bytes);
    }
    if (value >= 0 && value < 2 ** 8) return this.#op(0x4b /* BININT1 */, value);
    if (value >= 0 && value < 2 ** 16) return this.#op(0x4d /* BININT2 */, value & 0xff, value >>> 8);
    if (value >= -(2 ** 31) && value < 2 ** 31) {
      const bytes = Buffer.alloc(5, 0x4a /* BININT */);
      bytes.writeInt32LE(value, 1);
      return this.#append(bytes);
    }
    const bytes = Buffer.alloc(10, 0x8a /* LONG1 */);
    bytes[1] = 8;
    bytes.writeBigInt64LE(BigInt(value), 2);
    return this.#append(bytes);
  }

  text(value: string): this {
    return this.#once(`text ${value}`, () => {
      const bytes = Buffer.from(value, 'utf8');
      const head = Buffer.alloc(5, 0x58 /* BINUNICODE */);
      head.writeUInt32LE(bytes.length, 1);
      this.#append(head).#append(bytes);
    });
  }

  /** A Python function, class or constant by its name. */
  global(module: string, name: string): this {
    return this.#once(`global ${module} ${name}`, () => {
      this.#append(Buffer.from(`c${module}\n${name}\n`, 'utf8'));
    });
  }

  /** A tuple of whole numbers. */
  integers(values: readonly number[]): this {
    if (values.length === 0) return this.emptyTuple();
    this.mark();
    for (const value of values) this.number(value);
    return this.tuple();
  }

  list<T>(items: readonly T[], write: (item: T) => void): this {
    this.#op(0x5d /* EMPTY_LIST */);
    if (items.length === 0) return this;
    this.mark();
    items.forEach(write);
    return this.#op(0x65 /* APPENDS */);
  }

  /** Puts items into the dictionary on top of the stack. */
  items<T>(items: Iterable<readonly [string, T]>, write: (value: T) => void): this {
    const all = [...items];
    for (let start = 0; start < all.length; start += BATCH) {
      this.mark();
      for (const [key, value] of all.slice(start, start + BATCH)) {
        this.text(key);
        write(value);
      }
      this.#op(0x75 /* SETITEMS */);
    }
    return this;
  }

  emptyDict(): this {
    return this.#op(0x7d);
  }

  emptyTuple(): this {
    return this.#op(0x29);
  }

  mark(): this {
    return this.#op(0x28);
  }

  /** All from the last mark. */
  tuple(): this {
    return this.#op(0x74);
  }

  /** Calls the global below the tuple on top with that tuple. */
  reduce(): this {
    return this.#op(0x52);
  }

  persistentId(): this {
    return this.#op(0x51);
  }

  /** The whole pickle. */
  finish(): Buffer {
    this.#op(0x2e /* STOP */);
    return Buffer.concat(this.#parts);
  }

  #once(key: string, write: () => void): this {
    const index = this.#memo.get(key);
    if (index !== undefined) return this.#indexed(0x68 /* BINGET */, 0x6a /* LONG_BINGET */, index);
    write();
    this.#indexed(0x71 /* BINPUT */, 0x72 /* LONG_BINPUT */, this.#memo.size);
    this.#memo.set(key, this.#memo.size);
    return this;
  }

  #indexed(short: number, long: number, index: number): this {
    if (index < 2 ** 8) return this.#op(short, index);
    const bytes = Buffer.alloc(5, long);
    bytes.writeUInt32LE(index, 1);
    return this.#append(bytes);
  }

  #op(...bytes: number[]): this {
    return this.#append(Buffer.from(bytes));
  }

  #append(bytes: Buffer): this {
    this.#parts.push(bytes);
    return this;
  }
}
