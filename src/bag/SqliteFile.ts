import { copyFileSync, statSync, symlinkSync } from 'node:fs';
import { resolve } from 'node:path';
import { Database } from 'node-sqlite3-wasm';
import type { Statement } from 'node-sqlite3-wasm';
import { FileFormatError, messageOf } from '../errors';
import { Budget } from '../formats/Budget';
import { RangedFile } from '../formats/RangedFile';
import { messageType } from '../settings/sources';
import { TemporaryFolder } from '../TemporaryFolder';
import { quoted } from '../words/quoted';
import type { BagFile, BagMessage, BagTopic, MessageDefinitionText, ReadOptions } from './types';

export const SQLITE_MAGIC = Buffer.from('SQLite format 3\0', 'latin1');

/** A write-ahead log is copied to be read; a recorder's is a few MiB. */
const MAX_LOG = 2 ** 30;

/** Columns that are read, for each table that a rosbag2 recording has. */
const TABLES = {
  topics: ['id', 'name', 'type', 'serialization_format'],
  messages: ['id', 'topic_id', 'timestamp', 'data'],
} as const;

/** Beside those, in recordings of ROS 2 Foxy and later. */
const QOS_COLUMN = 'offered_qos_profiles';

const DEFINITIONS = 'message_definitions';
const DEFINITION_COLUMNS = ['topic_type', 'encoding', 'encoded_message_definition'] as const;

/** A robot has hundreds. */
const MOST_TOPICS = 10_000;
/** Fewest bytes that a row of `messages` takes in a file. */
const SMALLEST_ROW = 8;
/** Names under which SQLite knows the number of a row, unless a column has them. */
const ROW_ID = ['rowid', '_rowid_', 'oid'];

type Row = Record<string, unknown>;

interface Topic extends BagTopic {
  readonly id: bigint;
  readonly count: number;
}

function integer(value: unknown, what: string): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value);
  throw new Error(`${what} is not an integer`);
}

function text(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw new Error(`${what} is not a text`);
}

/** Columns that are stored as they are. */
function plainColumns(database: Database, table: string): ReadonlySet<unknown> {
  const info = database.all(`SELECT name, hidden FROM pragma_table_xinfo('${table}')`) as Row[];
  return new Set(info.filter((column) => Number(column.hidden) === 0).map((column) => column.name));
}

/**
 * Refuses tables that are not plain stored columns. A view or a generated column is a program that runs when it is
 * read, and a hostile one never ends.
 */
function checkTables(database: Database): void {
  for (const [table, columns] of Object.entries(TABLES)) {
    const [found] = database.all('SELECT type, sql FROM sqlite_master WHERE name = ?', table) as Row[];
    if (found === undefined) throw new Error(`there is no table ${table}; is it a rosbag2 recording?`);
    if (found.type !== 'table' || /^\s*CREATE\s+VIRTUAL/i.test(text(found.sql, 'a table definition'))) {
      throw new Error(`${table} is not a plain table`);
    }
    const plain = plainColumns(database, table);
    const missing = columns.find((column) => !plain.has(column));
    if (missing !== undefined) throw new Error(`the table ${table} has no column ${missing}`);
  }
  checkRowIds(database);
}

/** Messages are fetched by the number of their row; any other key would be looked for in all rows, for each message. */
function checkRowIds(database: Database): void {
  const columns = (database.all("SELECT name FROM pragma_table_xinfo('messages')") as Row[]).map(({ name }) =>
    String(name).toLowerCase(),
  );
  const shadowed = ROW_ID.find((name) => columns.includes(name));
  if (shadowed !== undefined) throw new Error(`the table messages has a column ${shadowed} of its own`);
  try {
    database.all('SELECT rowid FROM messages LIMIT 0');
  } catch (error) {
    throw new Error('the table messages has no row numbers; is it a rosbag2 recording?', { cause: error });
  }
}

/** Definitions by type; absent in recordings made before ROS 2 Iron. */
function readDefinitions(database: Database): Map<string, MessageDefinitionText> {
  const definitions = new Map<string, MessageDefinitionText>();
  const [table] = database.all(
    `SELECT sql FROM sqlite_master WHERE name = '${DEFINITIONS}' AND type = 'table'`,
  ) as Row[];
  // Types of the distribution are known without it.
  if (table === undefined || /^\s*CREATE\s+VIRTUAL/i.test(text(table.sql, 'a table definition')))
    return definitions;
  const plain = plainColumns(database, DEFINITIONS);
  if (!DEFINITION_COLUMNS.every((column) => plain.has(column))) return definitions;
  const rows = database.all(
    `SELECT ${DEFINITION_COLUMNS.join(', ')} FROM ${DEFINITIONS} LIMIT ${MOST_TOPICS}`,
  ) as Row[];
  for (const row of rows) {
    const definition = text(row.encoded_message_definition, 'a message definition');
    if (definition === '') continue;
    definitions.set(messageType(text(row.topic_type, 'a type')), {
      encoding: text(row.encoding, 'an encoding'),
      text: definition,
    });
  }
  return definitions;
}

/** Adds `start` and `end` to what the topics say. */
function readTopics(
  database: Database,
  mostRows: number,
): {
  topics: Topic[];
  start: bigint | undefined;
  end: bigint | undefined;
} {
  const definitions = readDefinitions(database);
  const counts = new Map<bigint, number>();
  let start: bigint | undefined;
  let end: bigint | undefined;
  const extents = database.all(
    // Without `+` an index would be followed, which need not be that of this table.
    `SELECT topic_id, COUNT(*) AS count, MIN(timestamp) AS first, MAX(timestamp) AS last
       FROM (SELECT +topic_id AS topic_id, +timestamp AS timestamp FROM messages LIMIT ${mostRows}) GROUP BY topic_id LIMIT ${MOST_TOPICS}`,
  ) as Row[];
  // Pages that refer to one another give rows without end.
  if (extents.reduce((sum, row) => sum + Number(row.count), 0) >= mostRows) {
    throw new Error('the table messages has more rows than a file of this size can hold');
  }
  for (const row of extents) {
    counts.set(integer(row.topic_id, 'a topic id'), Number(row.count));
    const first = integer(row.first, 'a timestamp');
    const last = integer(row.last, 'a timestamp');
    if (start === undefined || first < start) start = first;
    if (end === undefined || last > end) end = last;
  }
  const columns = plainColumns(database, 'topics').has(QOS_COLUMN) ? `, ${QOS_COLUMN}` : '';
  const rows = database.all(
    `SELECT id, name, type, serialization_format${columns} FROM topics ORDER BY id LIMIT ${MOST_TOPICS}`,
  ) as Row[];
  const topics = rows.map((row): Topic => {
    const id = integer(row.id, 'a topic id');
    const type = messageType(text(row.type, 'a type'));
    const definition = definitions.get(type);
    const qos = row[QOS_COLUMN];
    return {
      id,
      name: text(row.name, 'a topic name'),
      type,
      encoding: text(row.serialization_format, 'a serialization format'),
      count: counts.get(id) ?? 0,
      ...(definition && { definition }),
      ...(typeof qos === 'string' && qos.trim() !== '' && { offeredQos: qos }),
    };
  });
  return { topics, start, end };
}

/**
 * A rosbag2 SQLite3 file, read in place. The database is opened through a link in a temporary folder: SQLite puts its
 * lock beside the name it was given, and a recording may lie where nothing can be written, or be read twice at once.
 */
export class SqliteFile implements BagFile {
  readonly storage = 'sqlite3';
  readonly path: string;
  readonly topics: readonly BagTopic[];
  readonly start: bigint | undefined;
  readonly end: bigint | undefined;
  readonly #folder: TemporaryFolder;
  readonly #database: Database;
  readonly #topicsById: ReadonlyMap<bigint, Topic>;
  readonly #warnings: Set<string>;
  readonly #size: number;

  private constructor(
    path: string,
    folder: TemporaryFolder,
    database: Database,
    size: number,
    warnings: readonly string[],
  ) {
    const mostRows = Math.ceil(size / SMALLEST_ROW) + 1;
    const { topics, start, end } = readTopics(database, mostRows);
    this.path = path;
    this.topics = topics;
    this.start = start;
    this.end = end;
    this.#folder = folder;
    this.#database = database;
    this.#topicsById = new Map(topics.map((topic) => [topic.id, topic]));
    this.#warnings = new Set(warnings);
    this.#size = size;
  }

  get warnings(): readonly string[] {
    return [...this.#warnings];
  }

  /** @throws FileFormatError where the file is not a rosbag2 database or is damaged so that its tables cannot be read. */
  static open(path: string): SqliteFile {
    const size = RangedFile.reading(path, (file) => {
      const magic =
        file.size < SQLITE_MAGIC.length ? undefined : file.read(0, SQLITE_MAGIC.length, 'the signature');
      if (magic === undefined || !magic.equals(SQLITE_MAGIC)) {
        throw new FileFormatError(
          path,
          'is not an SQLite database: it does not start with the SQLite signature',
        );
      }
      return file.size;
    });
    const folder = new TemporaryFolder('bag');
    let database: Database | undefined;
    try {
      const link = folder.join('bag.db3');
      symlinkSync(resolve(path), link);
      const log = adoptLog(path, `${link}-wal`);
      database = new Database(link, { readOnly: true });
      // Recordings are in WAL mode; without shared memory SQLite reads that only with the database to itself.
      database.exec('PRAGMA locking_mode = EXCLUSIVE');
      database.exec('PRAGMA trusted_schema = OFF');
      database.exec('PRAGMA cell_size_check = ON');
      checkTables(database);
      return new SqliteFile(path, folder, database, size + log.size, log.warnings);
    } catch (error) {
      database?.close();
      folder.remove();
      if (error instanceof FileFormatError) throw error;
      throw new FileFormatError(path, `cannot be read as a rosbag2 database: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- SQLite answers at once; the other storage does not
  async *messages({ topics, start, end }: ReadOptions = {}): AsyncGenerator<BagMessage, void, void> {
    const wanted = [...this.#topicsById.values()].filter(
      ({ name }) => topics === undefined || topics.includes(name),
    );
    if (wanted.length === 0 || this.start === undefined || this.end === undefined) return;
    const statements: Statement[] = [];
    const prepare = (sql: string): Statement => {
      const statement = this.#database.prepare(sql);
      statements.push(statement);
      return statement;
    };
    try {
      // The order is found over small rows; the data are fetched one by one.
      const rows = this.#orNothing(() => {
        const order = prepare(
          `SELECT rowid AS row, topic_id, timestamp FROM messages WHERE topic_id IN (${wanted.map(({ id }) => id.toString()).join(', ')})
           AND timestamp BETWEEN ? AND ? ORDER BY timestamp, rowid LIMIT ${Math.ceil(this.#size / SMALLEST_ROW) + 1}`,
        );
        return order.iterate([start ?? this.start ?? 0n, end ?? this.end ?? 0n]) as Iterator<Row>;
      });
      const fetch = this.#orNothing(() => prepare('SELECT data FROM messages WHERE rowid = ?'));
      const budget = Budget.ofFile(this.#size);
      while (rows !== undefined && fetch !== undefined) {
        const message = this.#orNothing(() => this.#next(rows, fetch, budget));
        if (message === undefined) return;
        yield message;
      }
    } finally {
      // Finalizing says once more what the last step failed with.
      for (const statement of statements) this.#orNothing(() => statement.finalize());
    }
  }

  /** The next message, or undefined at the end. */
  #next(rows: Iterator<Row>, fetch: Statement, budget: Budget): BagMessage | undefined {
    const row = rows.next();
    if (row.done === true) return undefined;
    const topic = this.#topicsById.get(integer(row.value.topic_id, 'a topic id'));
    const data = (fetch.get(integer(row.value.row, 'a row number')) as Row | null)?.data;
    if (topic === undefined || !(data instanceof Uint8Array)) throw new Error('a message has no data');
    const time = integer(row.value.timestamp, 'a timestamp');
    budget.take('bytes', data.byteLength);
    const { name, type, encoding } = topic;
    return { topic: name, type, encoding, logTime: time, publishTime: time, data };
  }

  /** The result of reading, or undefined and a warning where the database is damaged. */
  #orNothing<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      this.#warnings.add(`${this.path}: is truncated or damaged: ${messageOf(error)}; read up to there`);
      return undefined;
    }
  }

  close(): Promise<void> {
    this.#database.close();
    this.#folder.remove();
    return Promise.resolve();
  }
}

/**
 * A recorder that was killed leaves its last messages in a write-ahead log beside the database. SQLite would change
 * the log, so it gets a copy.
 */
function adoptLog(
  path: string,
  copy: string,
): { readonly size: number; readonly warnings: readonly string[] } {
  const log = `${path}-wal`;
  const found = statSync(log, { throwIfNoEntry: false });
  if (!found?.isFile() || found.size === 0) return { size: 0, warnings: [] };
  if (found.size > MAX_LOG) {
    return { size: 0, warnings: [`${quoted(log)}: is too large to be a recorder's log; not read`] };
  }
  copyFileSync(log, copy);
  return {
    size: found.size,
    warnings: [`${path}: the recorder did not finish; its log beside it is read too`],
  };
}
