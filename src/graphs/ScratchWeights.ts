import { closeSync, openSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { FastWamError, messageOf } from '../errors';
import type { ExternalBytes } from '../onnx/types';
import { TemporaryFolder } from '../TemporaryFolder';

/**
 * Weights that are made while a graph is emitted, in a file that the graph refers to until it is loaded. As part of
 * the graph they would be in memory several times over when onnxruntime has packed them.
 */
export class ScratchWeights {
  readonly path: string;
  readonly #folder: TemporaryFolder;
  readonly #file: number;
  #end = 0;

  /** @throws FastWamError where no file can be made */
  constructor() {
    this.#folder = new TemporaryFolder('weights');
    try {
      this.path = this.#folder.join('int8.bin');
      this.#file = openSync(this.path, 'wx', 0o600);
    } catch (error) {
      throw noRoom(error);
    }
  }

  /** @throws FastWamError where the disk is full */
  add(data: Int8Array): Omit<ExternalBytes, 'location'> {
    try {
      writeFileSync(this.#file, data);
    } catch (error) {
      throw noRoom(error);
    }
    const offset = this.#end;
    this.#end += data.byteLength;
    return { offset, byteLength: data.byteLength };
  }

  /** Takes the file away; what a session has mapped of it stays readable. */
  remove(): void {
    closeSync(this.#file);
    this.#folder.remove();
  }
}

function noRoom(error: unknown): FastWamError {
  return new FastWamError(
    `int8 weights cannot be put aside in ${tmpdir()} while the model loads: ${messageOf(error)}; set TMPDIR to a folder with room for them`,
    { cause: error },
  );
}
