import { parse } from 'node:path';
import { crc32 } from 'node:zlib';
import { InputError } from '../errors';
import { quoted } from '../words/quoted';
import { BYTES_PER_ELEMENT, elementCount } from './StoredTensor';
import type { StoredDType } from './StoredTensor';
import { crc32OfZeros } from './crc32OfZeros';
import { PickleWriter } from './PickleWriter';
import { writeAtomically } from './writeAtomically';
import { ZipWriter } from './ZipWriter';

/** A tensor to be written, whose bytes are made when their turn comes. */
export class TensorContent {
  constructor(
    readonly dtype: StoredDType,
    readonly shape: readonly number[],
    /** The elements, little-endian and row-major, in pieces of any length. Not called for sparse files. */
    readonly data: () => Iterable<ArrayBufferView>,
  ) {}

  get byteLength(): number {
    return elementCount(this.shape) * BYTES_PER_ELEMENT[this.dtype];
  }
}

/** What can be written: a Map becomes an OrderedDict (as state dicts are), an object a dict, an array a list. */
export type TorchContent =
  | null
  | boolean
  | number
  | string
  | readonly TorchContent[]
  | ReadonlyMap<string, TorchContent>
  | { readonly [key: string]: TorchContent }
  | TensorContent;

export interface TorchWriteOptions {
  /** Leave all tensor data as holes: a file of the full size that takes no space and reads as zeros. */
  readonly sparse?: boolean;
  /** Called after every piece with the bytes of tensor data done and in all. */
  readonly onProgress?: (done: number, total: number) => void;
}

const STORAGE_TYPES: Readonly<Record<StoredDType, string>> = {
  F64: 'DoubleStorage',
  F32: 'FloatStorage',
  F16: 'HalfStorage',
  BF16: 'BFloat16Storage',
  I64: 'LongStorage',
  I32: 'IntStorage',
  I16: 'ShortStorage',
  I8: 'CharStorage',
  U8: 'ByteStorage',
  BOOL: 'BoolStorage',
};

/**
 * Writes a file that `torch.load(path, weights_only=True)` reads, in the layout of torch.save (PyTorch 2.9): a zip of stored
 * entries aligned to 64 bytes. Atomic; tensors are streamed, so memory does not grow with them.
 *
 * Throws InputError where a tensor's data have another length than its shape says.
 */
export function writeTorchFile(path: string, root: TorchContent, options: TorchWriteOptions = {}): void {
  const tensors: TensorContent[] = [];
  const pickle = new PickleWriter();
  writeValue(pickle, root, tensors);
  const total = tensors.reduce((sum, tensor) => sum + tensor.byteLength, 0);
  let done = 0;

  writeAtomically(path, (sink) => {
    // torch.save takes the file's own name for the folder inside the archive.
    const zip = new ZipWriter(sink, `${parse(path).name}/`);
    zip.add('data.pkl', pickle.finish());
    zip.add('.format_version', Buffer.from('1'));
    zip.add('.storage_alignment', Buffer.from(String(ZipWriter.ALIGNMENT)));
    zip.add('byteorder', Buffer.from('little'));
    tensors.forEach((tensor, index) => {
      const { byteLength } = tensor;
      const name = `data/${index}`;
      if (options.sparse) {
        zip.addStream(name, byteLength, () => {
          sink.skip(byteLength);
          return crc32OfZeros(byteLength);
        });
        done += byteLength;
        options.onProgress?.(done, total);
        return;
      }
      zip.addStream(name, byteLength, () => {
        let crc = 0;
        let written = 0;
        for (const view of tensor.data()) {
          const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
          written += bytes.length;
          if (written > byteLength) break;
          crc = crc32(bytes, crc);
          sink.write(bytes);
          done += bytes.length;
          options.onProgress?.(done, total);
        }
        if (written !== byteLength) {
          throw new InputError(
            `${quoted(path)}: storage ${index} got ${written} bytes or more, expected ${byteLength} for ${tensor.dtype} [${tensor.shape.join(', ')}]`,
          );
        }
        return crc;
      });
    });
    zip.add('version', Buffer.from('3\n'));
    zip.finish();
  });
}

function writeValue(pickle: PickleWriter, value: TorchContent, tensors: TensorContent[]): void {
  const write = (item: TorchContent): void => writeValue(pickle, item, tensors);
  if (value === null || typeof value === 'boolean' || typeof value === 'string') pickle.scalar(value);
  else if (typeof value === 'number') pickle.number(value);
  else if (value instanceof TensorContent) writeTensor(pickle, value, tensors.push(value) - 1);
  else if (value instanceof Map) {
    pickle.global('collections', 'OrderedDict').emptyTuple().reduce();
    pickle.items(value as ReadonlyMap<string, TorchContent>, write);
  } else if (Array.isArray(value)) pickle.list(value as readonly TorchContent[], write);
  else pickle.emptyDict().items(Object.entries(value as Readonly<Record<string, TorchContent>>), write);
}

/** `_rebuild_tensor_v2(storage, 0, size, stride, requires_grad = False, backward_hooks = OrderedDict())` */
function writeTensor(pickle: PickleWriter, tensor: TensorContent, index: number): void {
  const { shape } = tensor;
  const strides = shape.map((_, i) => elementCount(shape.slice(i + 1)));
  pickle.global('torch._utils', '_rebuild_tensor_v2').mark();
  pickle.mark().text('storage').global('torch', STORAGE_TYPES[tensor.dtype]).text(String(index)).text('cpu');
  pickle.number(elementCount(shape)).tuple().persistentId();
  pickle.number(0).integers(shape).integers(strides).scalar(false);
  pickle.global('collections', 'OrderedDict').emptyTuple().reduce();
  pickle.tuple().reduce();
}
