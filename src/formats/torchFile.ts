import { FileFormatError } from '../errors';
import { quoted } from '../words/quoted';
import { BYTES_PER_ELEMENT, elementCount, unreadType } from './StoredTensor';
import type { StoredDType, StoredTensor, TensorFile } from './StoredTensor';
import { RangedFile } from './RangedFile';
import { openSafetensors } from './safetensors';
import { PickleGlobal, unpickle } from './unpickle';
import type { PickleValue } from './unpickle';
import { checkZipSums, readZipDirectory, readZipEntry, storedDataOffset } from './zip';
import type { ZipEntry } from './zip';

/** A tensor whose elements do not lie in row-major order in one run: a transposed or sliced view. */
export interface StridedTensor {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  /** in elements, one for each dimension */
  readonly strides: readonly number[];
  readonly file: string;
  /** of its first element, bytes from the start of the file */
  readonly offset: number;
}

/** What a torch file may hold. Tuples, lists and sizes are arrays; dtypes and devices are their names. */
export type TorchValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly TorchValue[]
  | ReadonlyMap<string | number, TorchValue>
  | StoredTensor
  | StridedTensor;

export interface TorchFile {
  readonly path: string;
  readonly root: TorchValue;
}

const LARGEST_PICKLE = 64 * 2 ** 20;
const DEEPEST_NESTING = 64;
const MOST_VALUES = 300_000;
const LARGEST_RANK = 32;

const RESAVE = 'load it with PyTorch and save it again: torch.save(torch.load(F, weights_only=True), F)';

/**
 * Reads a file that `torch.save` wrote (a zip of a pickle and raw storages; PyTorch 1.6 and later). The pickle is read by an
 * allow-list and nothing is executed; the tensors stay in the file, and every one lies inside its storage.
 *
 * Throws FileFormatError where the pickle asks for anything but tensors, numbers, text and their containers, where
 * a storage is missing, compressed or of the wrong size, and for the formats before the zip.
 */
export function openTorchFile(path: string): TorchFile {
  return RangedFile.reading(path, (file) => {
    refuseLegacy(file);
    const entries = readZipDirectory(file);
    const pickle = findPickle(path, entries);
    const prefix = pickle.name.slice(0, -'data.pkl'.length);

    const byteOrder = entries.get(`${prefix}byteorder`);
    if (byteOrder !== undefined) {
      const order = readZipEntry(file, byteOrder, 16).toString('latin1');
      if (order !== 'little') {
        throw new FileFormatError(
          path,
          `was saved with byte order ${quoted(order)}, expected "little"; on a PC, ${RESAVE}`,
        );
      }
    }

    const value = unpickle<Rebuilt>(readZipEntry(file, pickle, LARGEST_PICKLE), {
      path,
      globals: torchGlobals(path),
      persistentLoad: (id) => openStorage(file, entries, prefix, id),
    });
    return { path, root: publish(value, path) };
  });
}

/**
 * Reads a torch file whole and compares its content with the zip's own check sums; other files have none.
 * @throws FileFormatError naming what is damaged
 */
export function checkZipContent(path: string): void {
  if (!looksLikeTorch(path)) return;
  RangedFile.reading(path, (file) => checkZipSums(file, readZipDirectory(file)));
}

/**
 * The tensors of a state dict, named by its keys. `path` is the file, for messages. Throws FileFormatError where the
 * value is not a dictionary or holds something other than contiguous tensors.
 */
export function tensorDictionary(
  value: TorchValue | undefined,
  path: string,
): ReadonlyMap<string, StoredTensor> {
  if (!isDictionary(value)) {
    throw new FileFormatError(path, `holds ${describe(value)} where a dictionary of tensors was expected`);
  }
  const tensors = new Map<string, StoredTensor>();
  for (const [key, item] of value) {
    const name = String(key);
    if (isStrided(item)) {
      throw new FileFormatError(path, notContiguous(name, item));
    }
    if (!isStored(item)) {
      throw new FileFormatError(
        path,
        `holds ${describe(item)} under ${quoted(name)} where a tensor was expected`,
      );
    }
    tensors.set(name, { ...item, name });
  }
  return tensors;
}

/**
 * Opens a file of named tensors, a safetensors or a torch file, told apart by content. Dictionaries in a torch file are joined
 * by dots, its texts become metadata, and lists are passed over: they are state of a training.
 * @param needed whether a tensor of this name will be read; a needed one that is not contiguous is refused, others are left out
 */
export function openTensors(path: string, needed: (name: string) => boolean = () => true): TensorFile {
  if (!looksLikeTorch(path)) return openSafetensors(path);
  const tensors = new Map<string, StoredTensor>();
  const metadata: Record<string, string> = {};
  const visit = (value: TorchValue, name: string): void => {
    if (isDictionary(value)) {
      for (const [key, item] of value) visit(item, name === '' ? String(key) : `${name}.${String(key)}`);
    } else if (isStrided(value)) {
      if (needed(name)) throw new FileFormatError(path, notContiguous(name, value));
    } else if (isStored(value)) {
      if (tensors.has(name)) throw new FileFormatError(path, `has tensor ${quoted(name)} twice`);
      tensors.set(name, { ...value, name });
    } else if (typeof value === 'string') {
      metadata[name] = value;
    }
  };
  visit(openTorchFile(path).root, '');
  return { path, tensors, metadata };
}

/** Whether a value is a dictionary. */
export function isDictionary(
  value: TorchValue | undefined,
): value is ReadonlyMap<string | number, TorchValue> {
  return value instanceof Map;
}

/** Whether a value is a contiguous tensor. */
export function isStored(value: TorchValue | undefined): value is StoredTensor {
  return isTensor(value) && !('strides' in value);
}

/** Whether a value is a tensor that is not contiguous. */
export function isStrided(value: TorchValue | undefined): value is StridedTensor {
  return isTensor(value) && 'strides' in value;
}

function notContiguous(name: string, { shape, strides }: StridedTensor): string {
  return `tensor ${quoted(name)} is not contiguous (shape [${shape.join(', ')}], strides [${strides.join(', ')}]); save it with .contiguous()`;
}

function isTensor(value: TorchValue | undefined): value is StoredTensor | StridedTensor {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && 'dtype' in value;
}

function describe(value: TorchValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'None';
  if (Array.isArray(value)) return 'a list';
  if (isDictionary(value)) return 'a dictionary';
  if (typeof value === 'object') return 'a tensor';
  return typeof value === 'string' ? 'text' : typeof value === 'boolean' ? 'a truth value' : 'a number';
}

// ---- what stands for torch's objects while the pickle is read ----

/** A run of bytes in the file. `dtype` is undefined for untyped storages. */
class Storage {
  constructor(
    readonly dtype: StoredDType | undefined,
    readonly offset: number,
    readonly byteLength: number,
  ) {}
}

/** A tensor before it has a name; `offset` of its first element in bytes from the start of the file. */
class Tensor {
  constructor(
    readonly dtype: StoredDType,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
    readonly offset: number,
  ) {}
}

type Rebuilt = Storage | Tensor;
type Value = PickleValue<Rebuilt>;

const STORAGE_TYPES: Readonly<Record<string, StoredDType>> = {
  'torch.DoubleStorage': 'F64',
  'torch.FloatStorage': 'F32',
  'torch.HalfStorage': 'F16',
  'torch.BFloat16Storage': 'BF16',
  'torch.LongStorage': 'I64',
  'torch.IntStorage': 'I32',
  'torch.ShortStorage': 'I16',
  'torch.CharStorage': 'I8',
  'torch.ByteStorage': 'U8',
  'torch.BoolStorage': 'BOOL',
};

const UNTYPED_STORAGES = [
  'torch.storage.UntypedStorage',
  'torch.UntypedStorage',
  'torch.storage._UntypedStorage',
];

/** Known only to say that they are not read. */
const UNREAD_DTYPES = ['e4m3fn', 'e5m2', 'e4m3fnuz', 'e5m2fnuz', 'e8m0fnu'].map(
  (name) => `torch.float8_${name}`,
);

const DTYPES: Readonly<Record<string, StoredDType>> = {
  'torch.float64': 'F64',
  'torch.double': 'F64',
  'torch.float32': 'F32',
  'torch.float': 'F32',
  'torch.float16': 'F16',
  'torch.half': 'F16',
  'torch.bfloat16': 'BF16',
  'torch.int64': 'I64',
  'torch.long': 'I64',
  'torch.int32': 'I32',
  'torch.int': 'I32',
  'torch.int16': 'I16',
  'torch.short': 'I16',
  'torch.int8': 'I8',
  'torch.uint8': 'U8',
  'torch.bool': 'BOOL',
};

/** Every Python name a checkpoint may ask for, and what stands for it. */
function torchGlobals(path: string): ReadonlyMap<string, PickleGlobal<Rebuilt>> {
  const fail = (problem: string): never => {
    throw new FileFormatError(path, `the pickle ${problem}`);
  };
  const globals = new Map<string, PickleGlobal<Rebuilt>>();
  const allow = (name: string, call?: (args: readonly Value[]) => Value): void => {
    globals.set(name, new PickleGlobal(name, call));
  };

  allow('collections.OrderedDict', ([pairs = []]) => {
    const ordered = new Map<string | number | boolean, Value>();
    if (!Array.isArray(pairs)) return fail('makes a dictionary of something that is not a list');
    for (const pair of pairs) {
      const [key, item] = Array.isArray(pair) ? pair : [];
      if ((typeof key !== 'string' && typeof key !== 'number') || item === undefined) {
        return fail('makes a dictionary of something that is not a list of pairs');
      }
      ordered.set(key, item);
    }
    return ordered;
  });
  allow('torch.Size', ([sizes]) =>
    Array.isArray(sizes) ? sizes : fail('has a torch.Size that is not a tuple'),
  );
  allow('torch.device', (args) =>
    typeof args[0] === 'string' ? args[0] : fail('has a torch.device without a name'),
  );
  allow('torch._utils._rebuild_parameter', ([data]) =>
    data instanceof Tensor ? data : fail('has a parameter that is not a tensor'),
  );
  allow('torch._utils._rebuild_tensor_v2', ([storage, offset, shape, strides]) =>
    storage instanceof Storage && storage.dtype !== undefined
      ? rebuildTensor(storage, storage.dtype, offset, shape, strides, fail)
      : fail('has a tensor without a typed storage'),
  );
  allow('torch._utils._rebuild_tensor_v3', ([storage, offset, shape, strides, , , dtype]) => {
    const known = dtype instanceof PickleGlobal ? DTYPES[dtype.name] : undefined;
    if (dtype instanceof PickleGlobal && known === undefined)
      fail(`has a tensor that ${unreadType(dtype.name)}`);
    return storage instanceof Storage && known !== undefined
      ? rebuildTensor(storage, known, offset, shape, strides, fail)
      : fail('has a tensor without a storage or a known dtype');
  });
  for (const name of [
    ...Object.keys(STORAGE_TYPES),
    ...UNTYPED_STORAGES,
    ...Object.keys(DTYPES),
    ...UNREAD_DTYPES,
  ])
    allow(name);
  return globals;
}

function openStorage(
  file: RangedFile,
  entries: ReadonlyMap<string, ZipEntry>,
  prefix: string,
  id: Value,
): Storage {
  const [tag, type, key, , count] = Array.isArray(id) ? id : [];
  if (tag !== 'storage' || !(type instanceof PickleGlobal) || typeof key !== 'string' || !isCount(count)) {
    throw new FileFormatError(file.path, 'the pickle refers to something that is not a storage');
  }
  const dtype = STORAGE_TYPES[type.name];
  if (dtype === undefined && !UNTYPED_STORAGES.includes(type.name)) {
    throw new FileFormatError(file.path, `the pickle has a storage of type ${quoted(type.name)}`);
  }
  const entry = entries.get(`${prefix}data/${key}`);
  if (entry === undefined) {
    throw new FileFormatError(file.path, `lacks the storage ${quoted(key)}; the file is damaged`);
  }
  const byteLength = count * (dtype === undefined ? 1 : BYTES_PER_ELEMENT[dtype]);
  if (entry.size !== byteLength) {
    throw new FileFormatError(
      file.path,
      `storage ${quoted(key)} has ${entry.size} bytes, expected ${byteLength}; the file is damaged`,
    );
  }
  return new Storage(dtype, storedDataOffset(file, entry), byteLength);
}

function rebuildTensor(
  storage: Storage,
  dtype: StoredDType,
  offset: Value | undefined,
  shape: Value | undefined,
  strides: Value | undefined,
  fail: (problem: string) => never,
): Tensor {
  if (!isCount(offset) || !isCounts(shape) || !isCounts(strides) || shape.length !== strides.length) {
    return fail('has a tensor whose offset, shape or strides are not whole numbers of the same rank');
  }
  const size = BYTES_PER_ELEMENT[dtype];
  if (!isCount(elementCount(shape)))
    return fail(`has a tensor of the impossible shape [${shape.join(', ')}]`);
  const last = elementCount(shape) === 0 ? -1 : shape.reduce((n, d, i) => n + (d - 1) * (strides[i] ?? 0), 0);
  if ((offset + last + 1) * size > storage.byteLength) {
    return fail(
      `has a tensor [${shape.join(', ')}] that reaches ${(offset + last + 1) * size} bytes into a storage of ${storage.byteLength}`,
    );
  }
  return new Tensor(dtype, shape, strides, storage.offset + offset * size);
}

function isCount(value: Value | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isCounts(value: Value | undefined): value is number[] {
  return Array.isArray(value) && value.length <= LARGEST_RANK && value.every(isCount);
}

/**
 * Turns what the pickle built into plain values, naming each tensor by its keys. The count and the depth are
 * limited as seen by a walker, so that a pickle that contains itself, or doubles itself often, is refused here.
 */
function publish(root: Value, path: string): TorchValue {
  let count = 0;
  const visit = (value: Value, name: string, depth: number): TorchValue => {
    count += 1;
    if (depth > DEEPEST_NESTING || count > MOST_VALUES) {
      throw new FileFormatError(
        path,
        `the pickle nests deeper than ${DEEPEST_NESTING} levels or holds more than ${MOST_VALUES} values`,
      );
    }
    const below = (key: string | number | boolean): string =>
      name === '' ? String(key) : `${name}.${String(key)}`;
    if (Array.isArray(value)) return value.map((item, i) => visit(item, below(i), depth + 1));
    if (value instanceof Map) {
      const dictionary = new Map<string | number, TorchValue>();
      for (const [key, item] of value) {
        dictionary.set(typeof key === 'boolean' ? Number(key) : key, visit(item, below(key), depth + 1));
      }
      return dictionary;
    }
    if (value instanceof PickleGlobal) return value.name;
    if (value instanceof Storage) {
      const dtype = value.dtype ?? 'U8';
      const length = value.byteLength / BYTES_PER_ELEMENT[dtype];
      return { name, dtype, shape: [length], file: path, offset: value.offset, byteLength: value.byteLength };
    }
    if (value instanceof Tensor) {
      const { dtype, shape, strides, offset } = value;
      return isContiguous(shape, strides)
        ? {
            name,
            dtype,
            shape,
            file: path,
            offset,
            byteLength: elementCount(shape) * BYTES_PER_ELEMENT[dtype],
          }
        : { name, dtype, shape, strides, file: path, offset };
    }
    return value;
  };
  return visit(root, '', 0);
}

/** Row-major without gaps; strides of dimensions of size 1 do not matter, nor any stride of an empty tensor. */
function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  if (elementCount(shape) === 0) return true;
  let expected = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    const size = shape[i] ?? 1;
    if (size !== 1 && strides[i] !== expected) return false;
    expected *= size;
  }
  return true;
}

// ---- the file around it ----

const ZIP_START = Buffer.from('PK\x03\x04', 'latin1');
/** The pickled magic number 0x1950a86a20f9469cfc6c with which files of PyTorch before 1.6 begin. */
const LEGACY_START = Buffer.from('80028a0a6cfc9c46f9206aa85019', 'hex');

export function looksLikeTorch(path: string): boolean {
  return RangedFile.reading(path, (file) => {
    const start = file.read(0, Math.min(file.size, LEGACY_START.length), 'the start of the file');
    return start.subarray(0, ZIP_START.length).equals(ZIP_START) || start.equals(LEGACY_START);
  });
}

function refuseLegacy(file: RangedFile): void {
  const start = file.read(0, Math.min(file.size, LEGACY_START.length), 'the start of the file');
  if (start.equals(LEGACY_START)) {
    throw new FileFormatError(
      file.path,
      `is in the format of PyTorch before 1.6, which is not read; ${RESAVE}`,
    );
  }
}

function findPickle(path: string, entries: ReadonlyMap<string, ZipEntry>): ZipEntry {
  const found = [...entries.values()].filter((entry) => /^[^/]*\/data\.pkl$/.test(entry.name));
  const [pickle, ...more] = found;
  if (pickle === undefined || more.length > 0) {
    throw new FileFormatError(
      path,
      `is a zip archive with ${found.length} entries "<name>/data.pkl", expected one; it is not a torch.save file`,
    );
  }
  if (entries.has(`${pickle.name.slice(0, -'data.pkl'.length)}constants.pkl`)) {
    throw new FileFormatError(
      path,
      'is a TorchScript program, expected weights; save model.state_dict() instead',
    );
  }
  return pickle;
}
