import { statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Bundle } from '../bundle/Bundle';
import type { FieldTable } from '../cache/fields';
import type { CacheResources, Calibration } from '../cache/types';
import { FileFormatError, messageOf } from '../errors';
import { readText } from '../formats/readText';
import { writeAtomically } from '../formats/writeAtomically';

/** A schedule of 10,000 sub-blocks and 1,000 steps takes 40 MB; nothing beyond that was made by calibrating. */
const LARGEST_FILE = 64 * 2 ** 20;

const schema = z.strictObject({
  /** fingerprint of the weights that they were learnt from */
  weights: z.string(),
  schedules: z.array(z.unknown()),
});

type BundlePlace = Pick<Bundle, 'folder' | 'manifest'>;

/**
 * What was learnt for one policy, beside a bundle. Looked up again when the file has changed, so that a calibration is
 * in force without loading anything anew.
 */
export class CalibrationFile<L> {
  readonly path: string;
  readonly #weights: string;
  readonly #calibration: Calibration<FieldTable, L>;
  #known: { readonly stamp: string; readonly records: readonly L[] } | undefined;

  constructor(bundle: BundlePlace, calibration: Calibration<FieldTable, L>) {
    this.path = join(bundle.folder, calibration.file);
    this.#weights = bundle.manifest.weights.policy.fingerprint;
    this.#calibration = calibration;
  }

  /**
   * The records; none where nothing was calibrated.
   * @throws FileFormatError for a file that is not what `fastwam calibrate` writes, or was made for other weights
   */
  read(): readonly L[] {
    const stat = statSync(this.path, { throwIfNoEntry: false });
    if (!stat) return [];
    const stamp = `${stat.mtimeMs} ${stat.size} ${stat.ino}`;
    if (this.#known?.stamp !== stamp) {
      if (stat.size > LARGEST_FILE)
        throw this.#problem(`${stat.size} bytes are more than any schedule takes`);
      this.#known = { stamp, records: this.#parse(this.#text()) };
    }
    return this.#known.records;
  }

  /** Adds a record; one of the same settings is replaced, the others stay. */
  add(record: L): void {
    const key = (of: L): string => JSON.stringify(this.#calibration.settingsOf(of));
    const all = [...this.#others().filter((old) => key(old) !== key(record)), record];
    const text = `${JSON.stringify({ weights: this.#weights, schedules: all })}\n`;
    writeAtomically(this.path, (sink) => sink.write(Buffer.from(text)));
  }

  /** What is there already and of use; a calibration replaces what is not. */
  #others(): readonly L[] {
    try {
      return this.read();
    } catch (error) {
      if (error instanceof FileFormatError) return [];
      throw error;
    }
  }

  #text(): string {
    try {
      return readText(this.path, LARGEST_FILE);
    } catch (error) {
      throw this.#problem(`cannot be read: ${messageOf(error)}`, error);
    }
  }

  #parse(text: string): readonly L[] {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw this.#problem(`is not JSON: ${messageOf(error)}`, error);
    }
    const parsed = schema.safeParse(value);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      const place = issue?.path.join('.') ?? '';
      throw this.#problem(`${place === '' ? 'the document' : place}: ${issue?.message ?? 'unreadable'}`);
    }
    if (parsed.data.weights !== this.#weights) {
      throw this.#problem('was calibrated for other weights than those of this bundle');
    }
    return parsed.data.schedules.map((one, i) =>
      this.#calibration.parse(one, `${this.path} (schedules.${i})`),
    );
  }

  #problem(problem: string, cause?: unknown): FileFormatError {
    return new FileFormatError(
      this.path,
      `${problem}; calibrate ${this.#calibration.policy} again, or delete the file`,
      { cause },
    );
  }
}

/** What a policy finds beside the model. A file is opened only by a policy that asks for it. */
export class BundleResources implements CacheResources {
  readonly #bundle: BundlePlace;
  readonly #files = new Map<string, CalibrationFile<unknown>>();

  constructor(bundle: BundlePlace) {
    this.#bundle = bundle;
  }

  learnt<L>(calibration: Calibration<FieldTable, L>): readonly L[] {
    // One file is one calibration, so that what it holds is of its type.
    const file = (this.#files.get(calibration.file) ??
      new CalibrationFile(this.#bundle, calibration)) as CalibrationFile<L>;
    this.#files.set(calibration.file, file);
    return file.read();
  }
}
