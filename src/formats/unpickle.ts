import { FileFormatError, messageOf } from '../errors';
import { quoted } from '../words/quoted';
import { Budget } from './Budget';

/*
 * A reader for Python pickles (protocols 2 to 5, https://docs.python.org/3/library/pickletools.html) that executes
 * nothing. A pickle is a program for a small stack machine, and its danger is one instruction: "fetch this Python
 * function and call it". Here such names are looked up in a list the caller gives, whose "functions" are ours.
 */

/** A dictionary key. */
export type PickleKey = string | number | boolean;

/** What a pickle can build. Tuples and lists are both arrays. `E` stands for the caller's own objects. */
export type PickleValue<E extends object> =
  | null
  | boolean
  | number
  | bigint
  | string
  | PickleValue<E>[]
  | Map<PickleKey, PickleValue<E>>
  | PickleGlobal<E>
  | E;

/** A Python name that a pickle may ask for. `call` stands for calling it; without `call` it is only a constant. */
export class PickleGlobal<E extends object> {
  constructor(
    /** module and name, with a dot between */
    readonly name: string,
    readonly call?: (args: readonly PickleValue<E>[]) => PickleValue<E>,
  ) {}
}

export interface UnpickleOptions<E extends object> {
  /** For messages. */
  readonly path: string;
  /** The names a pickle may ask for, by `module.name`. All others are refused. */
  readonly globals: ReadonlyMap<string, PickleGlobal<E>>;
  /** Answers a persistent id, with which torch refers to storages. */
  readonly persistentLoad: (id: PickleValue<E>) => PickleValue<E>;
}

/** A full training checkpoint of 1,650 tensors with its optimizer takes about 200,000 instructions. */
const MOST_INSTRUCTIONS = 4_000_000;
/** Lists, dictionaries, calls and memo entries: each takes a hundred bytes for the one that asks for it. */
const MOST_OBJECTS = 500_000;
/** Instructions that make an object, or keep one: EMPTY_LIST, EMPTY_DICT, EMPTY_TUPLE, tuples, DICT, LIST, calls, memo. */
const MAKING: ReadonlySet<number> = new Set([
  0x5d, 0x7d, 0x29, 0x85, 0x86, 0x87, 0x74, 0x64, 0x6c, 0x52, 0x81, 0x51, 0x71, 0x72, 0x94,
]);
const LONGEST_STRING = 2 ** 20;
const LONGEST_NAME = 256;
/** bytes of an integer */
const LONGEST_INTEGER = 64;

/**
 * The value of a pickle. Nothing is executed: a name outside `globals` is refused with that name. Throws
 * FileFormatError for this and for every malformed, truncated or outsized pickle.
 *
 * The value may contain itself or share parts; whoever walks it must limit depth and count.
 */
export function unpickle<E extends object>(bytes: Buffer, options: UnpickleOptions<E>): PickleValue<E> {
  return new PickleMachine(bytes, options).run();
}

class PickleMachine<E extends object> {
  readonly #bytes: Buffer;
  readonly #options: UnpickleOptions<E>;
  readonly #stack: PickleValue<E>[] = [];
  /** Heights of the stack at which marks stand. */
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, PickleValue<E>>();
  #at = 0;
  readonly #budget = new Budget({ elements: MOST_OBJECTS });

  constructor(bytes: Buffer, options: UnpickleOptions<E>) {
    this.#bytes = bytes;
    this.#options = options;
  }

  run(): PickleValue<E> {
    for (let count = 0; count < MOST_INSTRUCTIONS; count++) {
      const opcode = this.#uint(1);
      if (opcode === 0x2e /* STOP */) return this.#pop();
      if (MAKING.has(opcode)) this.#spend(1);
      this.#step(opcode);
    }
    return this.#fail(`has more than ${MOST_INSTRUCTIONS} instructions`);
  }

  #step(opcode: number): void {
    switch (opcode) {
      case 0x80: /* PROTO */ {
        const protocol = this.#uint(1);
        if (protocol < 2 || protocol > 5) this.#fail(`has protocol ${protocol}, expected 2 to 5`);
        return;
      }
      case 0x95: // FRAME: the length of what follows, of use only for streams
        this.#take(8);
        return;

      case 0x4e: // NONE
        this.#push(null);
        return;
      case 0x88: // NEWTRUE
        this.#push(true);
        return;
      case 0x89: // NEWFALSE
        this.#push(false);
        return;
      case 0x4b: // BININT1
        this.#push(this.#uint(1));
        return;
      case 0x4d: // BININT2
        this.#push(this.#uint(2));
        return;
      case 0x4a: // BININT
        this.#push(this.#take(4).readInt32LE());
        return;
      case 0x8a: // LONG1
        this.#push(this.#long(this.#uint(1)));
        return;
      case 0x8b: // LONG4
        this.#push(this.#long(this.#uint(4)));
        return;
      case 0x47: // BINFLOAT
        this.#push(this.#take(8).readDoubleBE());
        return;
      case 0x8c: // SHORT_BINUNICODE
        this.#push(this.#text(this.#uint(1)));
        return;
      case 0x58: // BINUNICODE
        this.#push(this.#text(this.#uint(4)));
        return;
      case 0x8d: // BINUNICODE8
        this.#push(this.#text(Number(this.#take(8).readBigUInt64LE())));
        return;
      case 0x55: // SHORT_BINSTRING, text of Python 2
        this.#push(this.#text(this.#uint(1)));
        return;

      case 0x29: // EMPTY_TUPLE
      case 0x5d: // EMPTY_LIST
        this.#push([]);
        return;
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        this.#push(this.#popMany(opcode - 0x84));
        return;
      case 0x74: // TUPLE
      case 0x6c: // LIST
        this.#push(this.#popToMark());
        return;
      case 0x61: /* APPEND */ {
        const item = this.#pop();
        this.#list('APPEND').push(item);
        return;
      }
      case 0x65: /* APPENDS */ {
        const items = this.#popToMark();
        const list = this.#list('APPENDS');
        for (const item of items) list.push(item);
        return;
      }

      case 0x7d: // EMPTY_DICT
        this.#push(new Map());
        return;
      case 0x64: // DICT
        this.#push(this.#fill(new Map(), this.#popToMark()));
        return;
      case 0x73: /* SETITEM */ {
        const pair = this.#popMany(2);
        this.#fill(this.#dictionary('SETITEM'), pair);
        return;
      }
      case 0x75: /* SETITEMS */ {
        const pairs = this.#popToMark();
        this.#fill(this.#dictionary('SETITEMS'), pairs);
        return;
      }

      case 0x28: // MARK
        this.#marks.push(this.#stack.length);
        return;
      case 0x30: // POP
        if (this.#stack.length === this.#floor() && this.#marks.length > 0) this.#marks.pop();
        else this.#pop();
        return;
      case 0x31: // POP_MARK
        this.#popToMark();
        return;
      case 0x32: // DUP
        this.#push(this.#top());
        return;

      case 0x71: // BINPUT
        this.#memo.set(this.#uint(1), this.#top());
        return;
      case 0x72: // LONG_BINPUT
        this.#memo.set(this.#uint(4), this.#top());
        return;
      case 0x94: // MEMOIZE
        this.#memo.set(this.#memo.size, this.#top());
        return;
      case 0x68: // BINGET
        this.#push(this.#recall(this.#uint(1)));
        return;
      case 0x6a: // LONG_BINGET
        this.#push(this.#recall(this.#uint(4)));
        return;

      case 0x63: /* GLOBAL */ {
        const module = this.#line();
        this.#push(this.#global(module, this.#line()));
        return;
      }
      case 0x93: /* STACK_GLOBAL */ {
        const [module, name] = this.#popMany(2);
        if (typeof module !== 'string' || typeof name !== 'string')
          this.#fail('asks for a name that is not text');
        else this.#push(this.#global(module, name));
        return;
      }
      case 0x69: /* INST */ {
        const module = this.#line();
        this.#global(module, this.#line());
        return this.#fail('creates an object in a way that torch.save does not');
      }
      case 0x52: // REDUCE
      case 0x81: // NEWOBJ
        this.#push(this.#call());
        return;
      case 0x62: /* BUILD */ {
        // torch gives each state dict its module versions (`_metadata`) this way; they do not matter here.
        const state = this.#pop();
        if (!(this.#top() instanceof Map) || !(state instanceof Map)) {
          this.#fail('sets the state of something that is not a dictionary');
        }
        return;
      }
      case 0x51: // BINPERSID
        this.#push(this.#options.persistentLoad(this.#pop()));
        return;

      default:
        this.#fail(
          `uses the instruction 0x${opcode.toString(16).padStart(2, '0')} at byte ${this.#at - 1}, which torch.save does not write for tensors, numbers and text`,
        );
    }
  }

  #spend(count: number): void {
    try {
      this.#budget.take('elements', count);
    } catch (error) {
      this.#fail(`makes too much of its bytes: ${messageOf(error)}`);
    }
  }

  #call(): PickleValue<E> {
    const args = this.#pop();
    const callee = this.#pop();
    if (!Array.isArray(args)) return this.#fail('calls something with arguments that are not a tuple');
    if (!(callee instanceof PickleGlobal)) return this.#fail('calls something that is not a function');
    if (callee.call === undefined) return this.#fail(`calls ${callee.name}, which is not a function`);
    // What is called goes through its arguments, which many calls may share.
    for (const argument of args) if (Array.isArray(argument)) this.#spend(argument.length);
    return callee.call(args);
  }

  #global(module: string, name: string): PickleGlobal<E> {
    const full = `${module}.${name}`;
    return this.#options.globals.get(full) ?? this.#refuse(full);
  }

  #fill(
    target: Map<PickleKey, PickleValue<E>>,
    items: readonly PickleValue<E>[],
  ): Map<PickleKey, PickleValue<E>> {
    if (items.length % 2 !== 0) this.#fail('has a dictionary with a key that has no value');
    items.forEach((value, i) => {
      if (i % 2 === 0) return;
      const key = items[i - 1];
      if (typeof key === 'string' || typeof key === 'number' || typeof key === 'boolean')
        target.set(key, value);
      else this.#fail('has a dictionary key that is neither text nor a number');
    });
    return target;
  }

  #list(instruction: string): PickleValue<E>[] {
    const target = this.#top();
    return Array.isArray(target) ? target : this.#fail(`uses ${instruction} on something that is not a list`);
  }

  #dictionary(instruction: string): Map<PickleKey, PickleValue<E>> {
    const target = this.#top();
    return target instanceof Map
      ? target
      : this.#fail(`uses ${instruction} on something that is not a dictionary`);
  }

  #recall(index: number): PickleValue<E> {
    const value = this.#memo.get(index);
    return value !== undefined ? value : this.#fail(`refers to memo ${index}, which was not set`);
  }

  #floor(): number {
    return this.#marks.at(-1) ?? 0;
  }

  #push(value: PickleValue<E>): void {
    this.#stack.push(value);
  }

  #top(): PickleValue<E> {
    const value = this.#stack.length > this.#floor() ? this.#stack.at(-1) : undefined;
    return value !== undefined ? value : this.#fail('takes a value from an empty stack');
  }

  #pop(): PickleValue<E> {
    const value = this.#top();
    this.#stack.pop();
    return value;
  }

  #popMany(count: number): PickleValue<E>[] {
    if (this.#stack.length - count < this.#floor()) this.#fail('takes a value from an empty stack');
    return this.#stack.splice(this.#stack.length - count);
  }

  #popToMark(): PickleValue<E>[] {
    const mark = this.#marks.pop();
    return mark === undefined ? this.#fail('refers to a mark that was not set') : this.#stack.splice(mark);
  }

  #uint(length: 1 | 2 | 4): number {
    return this.#take(length).readUIntLE(0, length);
  }

  /** Two's complement, little-endian; a number where it is exact. */
  #long(length: number): number | bigint {
    if (length > LONGEST_INTEGER)
      this.#fail(`has an integer of ${length} bytes, at most ${LONGEST_INTEGER} are allowed`);
    let value = 0n;
    for (const byte of this.#take(length).reverse()) value = (value << 8n) | BigInt(byte);
    value = BigInt.asIntN(length * 8, value);
    return BigInt(Number.MIN_SAFE_INTEGER) <= value && value <= BigInt(Number.MAX_SAFE_INTEGER)
      ? Number(value)
      : value;
  }

  #text(length: number): string {
    if (length > LONGEST_STRING)
      this.#fail(`has a text of ${length} bytes, at most ${LONGEST_STRING} are allowed`);
    return this.#take(length).toString('utf8');
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0 || end - this.#at > LONGEST_NAME) return this.#fail('asks for a name without an end');
    const line = this.#bytes.toString('utf8', this.#at, end);
    this.#at = end + 1;
    return line;
  }

  /** A copy, so that callers may change it. */
  #take(length: number): Buffer {
    if (length > this.#bytes.length - this.#at)
      this.#fail(`ends in the middle of an instruction; it is truncated`);
    const part = Buffer.from(this.#bytes.subarray(this.#at, this.#at + length));
    this.#at += length;
    return part;
  }

  #refuse(name: string): never {
    const shown = /^[\w. ]{1,200}$/.test(name) ? name : quoted(name);
    throw new FileFormatError(
      this.#options.path,
      `refused to load: the pickle asks for ${shown}, which tensors, numbers and text do not need; nothing was executed. Keep the weights alone: in PyTorch, if you trust the file, c = torch.load(F, weights_only=False); torch.save({k: c[k] for k in ("mot", "proprio_encoder") if k in c}, G)`,
    );
  }

  #fail(problem: string): never {
    throw new FileFormatError(this.#options.path, `the pickle ${problem}`);
  }
}
