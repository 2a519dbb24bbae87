import { gunzipSync } from 'node:zlib';
import { decompress as unzstd } from 'fzstd';
import { parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet';
import type { AsyncBuffer, Compressors, FileMetaData } from 'hyparquet';
import { FileFormatError, messageOf } from '../../errors';
import { RangedFile } from '../../formats/RangedFile';

/** hyparquet itself reads uncompressed and Snappy, which LeRobot writes. */
const COMPRESSORS: Compressors = {
  GZIP: (input, length) => gunzipSync(input, { maxOutputLength: Math.max(1, length) }),
  ZSTD: (input, length) => unzstd(input, new Uint8Array(length)),
};

export type Row = Readonly<Record<string, unknown>>;

/** A Parquet file, read by columns and ranges of rows. */
export class ParquetFile {
  readonly path: string;
  readonly #file: RangedFile;
  readonly #buffer: AsyncBuffer;
  readonly #metadata: FileMetaData;

  private constructor(file: RangedFile, buffer: AsyncBuffer, metadata: FileMetaData) {
    this.path = file.path;
    this.#file = file;
    this.#buffer = buffer;
    this.#metadata = metadata;
  }

  /** @throws FileFormatError where there is no readable Parquet file */
  static async open(path: string): Promise<ParquetFile> {
    const file = RangedFile.open(path);
    const buffer: AsyncBuffer = {
      byteLength: file.size,
      slice: (start, end = file.size) => {
        const bytes = new Uint8Array(end - start);
        file.readInto(bytes, start, 'a part of the table');
        return bytes.buffer;
      },
    };
    try {
      return new ParquetFile(file, buffer, await parquetMetadataAsync(buffer));
    } catch (error) {
      file.close();
      throw damaged(path, error);
    }
  }

  get rows(): number {
    return Number(this.#metadata.num_rows);
  }

  get columns(): readonly string[] {
    return parquetSchema(this.#metadata).children.map(({ element }) => element.name);
  }

  /** Rows `start` to `end` (not included), with those of `columns` that the file has. */
  async read(columns: readonly string[], start = 0, end = this.rows): Promise<Row[]> {
    try {
      return await parquetReadObjects({
        file: this.#buffer,
        metadata: this.#metadata,
        columns: columns.filter((column) => this.columns.includes(column)),
        rowStart: start,
        rowEnd: end,
        compressors: COMPRESSORS,
        utf8: false,
      });
    } catch (error) {
      throw damaged(this.path, error);
    }
  }

  close(): void {
    this.#file.close();
  }
}

function damaged(path: string, error: unknown): FileFormatError {
  if (error instanceof FileFormatError) return error;
  return new FileFormatError(path, `cannot be read as Parquet: ${messageOf(error)}`, { cause: error });
}

/** All rows of a Parquet file. */
export async function readRows(path: string, columns: readonly string[]): Promise<Row[]> {
  const file = await ParquetFile.open(path);
  try {
    return await file.read(columns);
  } finally {
    file.close();
  }
}
